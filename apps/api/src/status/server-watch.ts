import type { Settings } from '@holdfast/shared/config';
import {
  believesFsync,
  readServerFacts,
  serverFindings,
  type Finding,
  type ServerFacts,
} from '@holdfast/shared/durability';
import type { Logger } from '@holdfast/shared/logging';
import { closeRedis, connectRedis, isReadyWithin, type RedisClient } from '@holdfast/shared/redis';
import { withinMs } from '../within-ms.js';

/** What the Redis server says of itself, and what is to be thought of it. */
export interface ServerWatch {
  /** At most a minute old where Redis answers; what was last known where it does not. Never takes long. */
  current(): Promise<{ facts: ServerFacts | null; findings: readonly Finding[] }>;
  /** Whether the server's word that a write is on disk may be believed; false until that is known. */
  believesFsync(): boolean;
  close(): Promise<void>;
}

const FRESH_MS = 60_000;
const PATIENCE_MS = 500;

export interface ServerWatchOptions {
  redis: RedisClient;
  settings: Pick<Settings, 'redis' | 'durability'>;
  log: Logger;
}

/** Looks at each new connection and then only when asked: an idle process sends nothing. */
export function createServerWatch({ redis, settings, log }: ServerWatchOptions): ServerWatch {
  let facts: ServerFacts | null = null;
  let findings: readonly Finding[] = [];
  let readAt = -Infinity;
  let reading: Promise<void> | undefined;
  let believed = false;
  let probing: Promise<void> = Promise.resolve();
  let closed = false;

  const look = async (): Promise<void> => {
    const seen = await readServerFacts(redis);
    const another =
      seen.runId !== facts?.runId ||
      seen.fsyncPolicy !== facts.fsyncPolicy ||
      seen.aofEnabled !== facts.aofEnabled;
    facts = seen;
    readAt = performance.now();
    const known = new Set(findings.map(({ code }) => code));
    findings = serverFindings(seen, settings.durability);
    for (const finding of findings)
      if (!known.has(finding.code))
        log[finding.severity === 'notice' ? 'info' : 'warn']('redis.finding', { ...finding });
    if (another) {
      believed = false;
      probing = probing.then(() => probe(seen));
    }
  };

  // On a connection of its own: what it measures is how long the server takes when nothing else is asked of it.
  const probe = async (seen: ServerFacts): Promise<void> => {
    if (closed) return;
    const own = connectRedis(settings.redis.connection, 'barrier', log);
    try {
      if (await isReadyWithin(own, 2_000)) believed = await believesFsync(own, settings.redis.prefix, seen);
    } catch (error) {
      log.debug('redis.honesty_unknown', { error });
      readAt = -Infinity;
    } finally {
      await closeRedis(own);
    }
  };

  const refresh = (): Promise<void> =>
    (reading ??= look()
      .catch((error: unknown) => log.debug('redis.facts_unknown', { error }))
      .finally(() => {
        reading = undefined;
      }));

  const onReady = (): void => void refresh();
  redis.on('ready', onReady);
  return {
    current: async () => {
      if (performance.now() - readAt > FRESH_MS) await withinMs(PATIENCE_MS, refresh(), undefined);
      return { facts, findings };
    },
    believesFsync: () => believed,
    close: async () => {
      closed = true;
      redis.off('ready', onReady);
      await probing;
    },
  };
}
