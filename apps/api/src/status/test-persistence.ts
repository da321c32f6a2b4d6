import { randomUUID } from 'node:crypto';
import type { DurabilityLevel } from '@holdfast/shared/config';
import type { Barrier } from '@holdfast/shared/durability';
import { uploadScripts } from '@holdfast/shared/intents';
import {
  missingRights,
  profileOfClient,
  readSettled,
  type RedisClient,
  type RedisKeys,
} from '@holdfast/shared/redis';
import { withinMs } from '@holdfast/shared/lifecycle';
import { redisFailure, rightsMissing, type RedisFailure } from './redis-failure.js';
import type { RedisOutage } from './redis-outage.js';

export interface PersistenceTest {
  testPassed: boolean;
  /** What the server confirmed for the test record; null when the test failed. */
  level: DurabilityLevel | null;
  /** From the write to the confirmation. */
  latencyMs: number;
  message: string;
}

export interface TestedPersistence {
  persistence: PersistenceTest;
  /** Null when the test passed. */
  failure: RedisFailure | null;
}

export interface TestDependencies {
  /** Written over one connection, read back over another. */
  redis: { request: RedisClient; background: RedisClient };
  connections: readonly RedisClient[];
  keys: Pick<RedisKeys, 'probe'>;
  redisOutage: RedisOutage;
  barrier: Pick<Barrier, 'confirm'>;
}

const READ_WITHIN_MS = 500;
/** Under fsync every second the server takes up to two. */
const CONFIRM_WITHIN_MS = 3_000;
/** A test record that could not be removed removes itself. */
const LIFE_SECONDS = 60;

/** Writes a test record, reads it back, asks how safe it is, removes it. Tests that are asked for together are one. */
export function createPersistenceTest(deps: TestDependencies): () => Promise<TestedPersistence> {
  let running: Promise<TestedPersistence> | undefined;
  return () =>
    (running ??= runTest(deps).finally(() => {
      running = undefined;
    }));
}

async function runTest({
  redis,
  connections,
  keys,
  redisOutage,
  barrier,
}: TestDependencies): Promise<TestedPersistence> {
  const start = performance.now();
  const key = keys.probe(randomUUID());
  const value = randomUUID();
  const result = (level: DurabilityLevel | null, message: string): PersistenceTest => ({
    testPassed: level !== null,
    level,
    latencyMs: Math.round((performance.now() - start) * 10) / 10,
    message,
  });
  const passed = (level: DurabilityLevel, message: string): TestedPersistence => ({
    persistence: result(level, message),
    failure: null,
  });
  const failed = (failure: RedisFailure): TestedPersistence => ({
    persistence: result(null, failure.message),
    failure,
  });
  const misread = (message: string): TestedPersistence => failed({ message, connected: false, findings: [] });
  try {
    const missing = await missingRights(redis.request, key, uploadScripts);
    if (missing.length > 0) return failed(rightsMissing(missing));
    await redis.request.set(key, value, 'EX', LIFE_SECONDS);
    const { readsLagMs } = profileOfClient(redis.background);
    const reading = readSettled(
      readsLagMs,
      () => redis.background.get(key),
      (found) => found === value,
    );
    const read = await withinMs(READ_WITHIN_MS + readsLagMs, reading, undefined);
    if (read === undefined) return misread('the test record could not be read in time');
    if (read !== value) return misread('the test record was read back with another content');
    const level = await withinMs(CONFIRM_WITHIN_MS, barrier.confirm(), null);
    await redis.request.del(key);
    return level === null
      ? passed('written', 'written and read back; the server did not confirm more in time')
      : passed(
          level,
          `written, read back and ${level === 'written' ? 'not confirmed to be on disk' : level}`,
        );
  } catch (error) {
    return failed(await redisFailure(error, connections, redisOutage));
  }
}
