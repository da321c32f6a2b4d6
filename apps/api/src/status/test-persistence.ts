import { randomUUID } from 'node:crypto';
import type { DurabilityLevel } from '@holdfast/shared/config';
import type { Barrier } from '@holdfast/shared/durability';
import { HoldfastError } from '@holdfast/shared/errors';
import {
  connectionError,
  redisErrorKind,
  type RedisClient,
  type RedisErrorKind,
  type RedisKeys,
} from '@holdfast/shared/redis';
import { withinMs } from '../within-ms.js';

export interface PersistenceTest {
  testPassed: boolean;
  /** What the server confirmed for the test record; null when the test failed. */
  level: DurabilityLevel | null;
  /** From the write to the confirmation. */
  latencyMs: number;
  message: string;
}

export interface TestDependencies {
  /** Written over one connection, read back over another. */
  redis: { request: RedisClient; background: RedisClient };
  keys: Pick<RedisKeys, 'probe'>;
  barrier: Pick<Barrier, 'confirm'>;
}

const READ_WITHIN_MS = 500;
/** Under fsync every second the server takes up to two. */
const CONFIRM_WITHIN_MS = 3_000;
/** A test record that could not be removed removes itself. */
const LIFE_SECONDS = 60;

const failures: Record<RedisErrorKind, string> = {
  unreachable: 'Redis cannot be reached',
  refused: 'Redis refuses writes',
  demoted: 'Redis is a replica now, the master is being looked for',
  credentials: 'Redis refuses the credentials',
  fatal: 'Redis answers in an unexpected way',
};

/** Why Redis does not serve over this connection, in words without addresses or secrets. */
export function redisFailure(error: unknown, client: RedisClient): string {
  const cause = error instanceof HoldfastError ? error.cause : error;
  const kind = redisErrorKind(cause);
  const refused = redisErrorKind(connectionError(client)) === 'credentials';
  return failures[kind === 'unreachable' && refused ? 'credentials' : kind];
}

/** Writes a test record, reads it back, asks how safe it is, removes it. Tests that are asked for together are one. */
export function createPersistenceTest(deps: TestDependencies): () => Promise<PersistenceTest> {
  let running: Promise<PersistenceTest> | undefined;
  return () =>
    (running ??= runTest(deps).finally(() => {
      running = undefined;
    }));
}

async function runTest({ redis, keys, barrier }: TestDependencies): Promise<PersistenceTest> {
  const start = performance.now();
  const key = keys.probe(randomUUID());
  const value = randomUUID();
  const result = (level: DurabilityLevel | null, message: string): PersistenceTest => ({
    testPassed: level !== null,
    level,
    latencyMs: Math.round((performance.now() - start) * 10) / 10,
    message,
  });
  try {
    await redis.request.set(key, value, 'EX', LIFE_SECONDS);
    const read = await withinMs(READ_WITHIN_MS, redis.background.get(key), undefined);
    if (read === undefined) return result(null, 'the test record could not be read in time');
    if (read !== value) return result(null, 'the test record was read back with another content');
    const level = await withinMs(CONFIRM_WITHIN_MS, barrier.confirm(), null);
    await redis.request.del(key);
    return level === null
      ? result('written', 'written and read back; the server did not confirm more in time')
      : result(
          level,
          `written, read back and ${level === 'written' ? 'not confirmed to be on disk' : level}`,
        );
  } catch (error) {
    return result(null, redisFailure(error, redis.request));
  }
}
