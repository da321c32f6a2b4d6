import type { RedisSettings } from '@holdfast/foundation/config';
import { redisOutage, type Finding } from '@holdfast/shared/durability';
import { HoldfastError } from '@holdfast/foundation/errors';
import { connectionError, redisErrorKind, redisFault, type RedisClient } from '@holdfast/shared/redis';

/** Why Redis does not serve. */
export interface RedisFailure {
  /** In words without addresses or secrets. */
  message: string;
  /** True when the server answers and only takes no writes: reads may work. */
  connected: boolean;
  /** What an operator can do about it. */
  finding: Finding;
}

/** What an error of one of these connections means; the first one is that of uploads. */
export function redisFailure(
  error: unknown,
  connections: readonly RedisClient[],
  settings: RedisSettings,
): RedisFailure {
  const cause = error instanceof HoldfastError ? error.cause : error;
  // Between two tries to connect, what the server said at the last one.
  const isAway = redisErrorKind(cause) === 'unreachable';
  const said = isAway ? (connections.map(connectionError).find(Boolean) ?? cause) : cause;
  const { kind, refusal, message, code, fix } = redisFault(said);
  if (kind !== 'refused' && kind !== 'demoted') {
    const outage = redisOutage(settings, said);
    const what = `does not serve: ${outage.why}`;
    const finding = uploadsRefused(code, `${outage.place} ${what}`, outage.fix);
    return { message: `Redis ${what}`, connected: false, finding };
  }
  if (refusal === 'connections') {
    const isServing = connections[0]?.status === 'ready';
    return {
      message,
      connected: isServing,
      finding: isServing ? someRefused : uploadsRefused(code, message, fix),
    };
  }
  return { message, connected: true, finding: uploadsRefused(code, message, fix) };
}

/** While some connections of this API are refused, and not the one that uploads need. */
export const someRefused: Finding = {
  code: 'REDIS_CONNECTIONS',
  severity: 'warning',
  message:
    'Redis refuses connections: its connection limit is reached. Some connections of this API are missing.',
  fix: 'Allow more connections ("maxclients", or a larger plan), or run fewer processes. docs/scaling.md says how many Holdfast needs.',
};

/** Uploads are refused, since the user of Redis may not call these commands. */
export function rightsMissing(commands: readonly string[]): RedisFailure {
  const message = `The user of Redis has no right to ${commands.join(', ')}`;
  const rights = commands.map((name) => `+${name.toLowerCase()}`).join(' ');
  const fix = `Give the user the rights to these commands: "ACL SETUSER <name> ${rights}".`;
  return { message, connected: true, finding: uploadsRefused('RIGHTS_MISSING', message, fix) };
}

function uploadsRefused(code: string, message: string, fix: string): Finding {
  return { code, severity: 'error', message: `${message}. Uploads are refused.`, fix };
}
