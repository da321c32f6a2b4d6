import type { Settings } from '@holdfast/shared/config';
import {
  createFsyncJudgement,
  logNewFindings,
  serverFindings,
  type Finding,
  type ServerCheck,
  type ServerFacts,
} from '@holdfast/shared/durability';
import type { Logger } from '@holdfast/shared/logging';
import { redisBackoff, type RedisClient, type RedisProfile } from '@holdfast/shared/redis';
import { withinMs } from '@holdfast/shared/lifecycle';

/** What the Redis server says of itself, and what is to be thought of it. */
export interface ServerWatch {
  /** At most two seconds old where Redis answers, or as old as its profile allows; what was last known where it does not. Never takes long. */
  current(): Promise<{ facts: ServerFacts | null; findings: readonly Finding[] }>;
  /** Whether the server's word that a write is on disk may be believed; false until that is known. */
  believesFsync(): boolean;
  close(): Promise<void>;
}

// Short, since the answers claim to be measured; not nothing, since whoever polls health would double its commands.
const FRESH_MS = 2_000;
const PATIENCE_MS = 500;

export interface ServerWatchOptions {
  redis: RedisClient;
  settings: Pick<Settings, 'redis' | 'durability'>;
  profile: Pick<RedisProfile, 'factsFreshMs'>;
  check: ServerCheck;
  /** Called when more is known of the server than at the last look. */
  onJudged?: () => void;
  log: Logger;
}

/** Looks at each new connection and then only when asked: an idle process sends nothing. */
export function createServerWatch(options: ServerWatchOptions): ServerWatch {
  const { redis, settings, profile, check, onJudged, log } = options;
  const judgement = createFsyncJudgement(settings.redis, log);
  const freshMs = Math.max(FRESH_MS, profile.factsFreshMs);
  let facts: ServerFacts | null = null;
  let seen: readonly Finding[] = [];
  let readAt = -Infinity;
  let reading: Promise<void> | undefined;
  const rests = redisBackoff(redis);

  const find = (server: ServerFacts): void => {
    const before = seen;
    const confirmable = { fsynced: judgement.known(), replicated: !check.lacks('WAIT') };
    seen = serverFindings(server, settings.durability, confirmable);
    logNewFindings(log, before, seen);
  };
  const judge = async (server: ServerFacts): Promise<void> => {
    const judging = judgement.consider(server);
    const isNew = judgement.known() === null;
    if (!(await judging) || facts === null) return;
    find(facts);
    if (isNew) onJudged?.();
  };
  const look = async (): Promise<void> => {
    facts = await check.look(redis);
    readAt = performance.now();
    rests.reset();
    find(facts);
    // Not waited for: where it must be measured it takes seconds.
    void judge(facts);
  };

  const refresh = (): Promise<void> =>
    (reading ??= look()
      .catch((error: unknown) => {
        void rests.rest();
        log.debug('redis.facts_unknown', { error });
      })
      .finally(() => {
        reading = undefined;
      }));

  const onReady = (): void => void refresh();
  redis.on('ready', onReady);
  return {
    current: async () => {
      const isDue = performance.now() - readAt > freshMs && !rests.isResting();
      if (reading !== undefined || isDue) await withinMs(PATIENCE_MS, refresh(), undefined);
      return { facts, findings: [...seen, ...check.findings()] };
    },
    believesFsync: () => judgement.believed(),
    close: async () => {
      redis.off('ready', onReady);
      await judgement.close();
    },
  };
}
