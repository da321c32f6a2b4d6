import { randomUUID } from 'node:crypto';
import type { DurabilityLevel } from '@holdfast/shared/config';
import type { Barrier, RedisOutage } from '@holdfast/shared/durability';
import type { RedisClient } from '@holdfast/shared/redis';
import { withinMs } from '@holdfast/shared/lifecycle';
import { redisFailure, rightsMissing, type RedisFailure } from './redis-failure.js';
import { lookAtRedis, type LookKeys, type ProbeRecord, type RedisLook } from './redis-look.js';

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
  /** What Redis showed meanwhile; null where it does not serve. */
  look: RedisLook | null;
}

export interface TestDependencies {
  /** The test record is written over this connection, and read back over that of the barrier. */
  redis: { request: RedisClient };
  connections: readonly RedisClient[];
  keys: LookKeys;
  redisOutage: RedisOutage;
  barrier: Pick<Barrier, 'confirmRemoving'>;
}

/** Under fsync every second the server takes up to two. */
const CONFIRM_WITHIN_MS = 3_000;
/** A test record that could not be removed removes itself. */
const LIFE_SECONDS = 60;

/**
 * Writes a test record, reads it back over another connection, removes it and asks how safe that is: three commands, with all else
 * that status answers need. That the removal is confirmed confirms the record, which was written before it.
 */
export async function testPersistence(deps: TestDependencies): Promise<TestedPersistence> {
  const { keys, barrier } = deps;
  const start = performance.now();
  const key = keys.probe(randomUUID());
  const value = randomUUID();
  const result = (level: DurabilityLevel | null, message: string): PersistenceTest => ({
    testPassed: level !== null,
    level,
    latencyMs: Math.round((performance.now() - start) * 10) / 10,
    message,
  });
  const { look, failure } = await lookOrFailure(deps, { key, value, seconds: LIFE_SECONDS });
  const failed = (why: RedisFailure): TestedPersistence => ({
    persistence: result(null, why.message),
    failure: why,
    look,
  });
  if (failure !== null) return failed(failure);
  try {
    const confirmed = await withinMs(CONFIRM_WITHIN_MS, barrier.confirmRemoving(key), null);
    if (confirmed === null)
      return failed({ message: 'the test record could not be read in time', connected: false, findings: [] });
    if (confirmed.value !== value)
      return failed({
        message: 'the test record was read back with another content',
        connected: false,
        findings: [],
      });
    const { level } = confirmed;
    const message = `written, read back and ${level === 'written' ? 'not confirmed to be on disk' : level}`;
    return { persistence: result(level, message), failure: null, look };
  } catch (error) {
    return failed(await redisFailure(error, deps.connections, deps.redisOutage));
  }
}

/** Writes the record, and reads all that status answers need; where Redis only takes no writes, reads go on. */
export async function lookOrFailure(
  {
    redis,
    connections,
    keys,
    redisOutage,
  }: Pick<TestDependencies, 'redis' | 'connections' | 'keys' | 'redisOutage'>,
  probe: ProbeRecord,
): Promise<{ look: RedisLook | null; failure: RedisFailure | null }> {
  try {
    const look = await lookAtRedis(redis.request, keys, probe);
    return { look, failure: look.missingRights.length > 0 ? rightsMissing(look.missingRights) : null };
  } catch (error) {
    const failure = await redisFailure(error, connections, redisOutage);
    const look = failure.connected ? await lookAtRedis(redis.request, keys).catch(() => null) : null;
    return { look, failure };
  }
}
