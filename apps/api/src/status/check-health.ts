import { randomUUID } from 'node:crypto';
import type { DurabilityLevel, Settings } from '@holdfast/foundation/config';
import type { Barrier } from '@holdfast/shared/durability';
import { queueNames } from '@holdfast/shared/jobs';
import { withinMs } from '@holdfast/foundation/lifecycle';
import type { MediaHost } from '@holdfast/shared/media-host';
import type { Answer } from '../http/endpoint.js';
import { currentFindings, type FindingSources } from './current-findings.js';
import { redisFailure, type RedisFailure } from './redis-failure.js';
import { lookOrFailure, redisFacts, type LookDependencies, type RedisLook } from './redis-look.js';
import { hostStatus, storageStatus, type HostStatus, type StorageStatus } from './storage-status.js';
import type { RecentResults } from './recent-results.js';

export type HealthStatus = 'healthy' | 'degraded' | 'unhealthy';

/** The test record is written over `redis.request`, and read back over the connection of the barrier. */
export interface HealthDependencies extends FindingSources, LookDependencies {
  settings: Pick<Settings, 'redis'>;
  barrier: Pick<Barrier, 'confirmRemoving'>;
  host: MediaHost;
  recentResults: Pick<RecentResults, 'share'>;
}

/** A bad result is measured again soon: a client that polls wants to know when the fault is over. */
const DEGRADED_MS = 10_000;
const UNHEALTHY_MS = 500;

/**
 * Measures: a record is written, read back and removed. 503 when that fails. What was measured of Redis is shared for a while; what this
 * process knows of its host and its disk is of this moment.
 */
export const checkHealth = (deps: HealthDependencies) => {
  const measure = async () => {
    const tested = await testPersistence(deps);
    return { ...tested, facts: await redisFacts(deps, tested.look) };
  };
  const answer = async ({ persistence, failure, facts }: Awaited<ReturnType<typeof measure>>) => {
    const [findings, host] = await Promise.all([currentFindings(deps, facts), hostStatus(deps.host)]);
    const storage = storageStatus(deps.settings, findings, failure);
    const { look, workers } = facts;
    const counts = look === null ? [] : queueNames.map((name) => [name, look.queues[name].counts] as const);
    return {
      status: judge(persistence, storage, host),
      persistence,
      storage,
      queues: { available: look !== null, workers, ...Object.fromEntries(counts) },
      host,
    };
  };
  const recent = deps.recentResults.share(
    async () => {
      const measured = await measure();
      return { measured, status: (await answer(measured)).status };
    },
    ({ status }) => freshMs[status],
  );
  return async (): Promise<Answer> => {
    const { value, measuredAt } = await recent();
    const { status, persistence, ...rest } = await answer(value.measured);
    return {
      status: status === 'unhealthy' ? 503 : 200,
      body: { status, measuredAt, persistence, ...rest },
    };
  };
};

const freshMs: Record<HealthStatus, number> = {
  healthy: Infinity,
  degraded: DEGRADED_MS,
  unhealthy: UNHEALTHY_MS,
};

function judge(persistence: PersistenceTest, storage: StorageStatus, host: HostStatus): HealthStatus {
  if (!persistence.testPassed) return 'unhealthy';
  const warned = storage.findings.some(({ severity }) => severity !== 'notice');
  return warned || host.reachable === false || host.circuit === 'open' ? 'degraded' : 'healthy';
}

export interface PersistenceTest {
  testPassed: boolean;
  /** What the server confirmed for the test record; null when the test failed. */
  level: DurabilityLevel | null;
  /** From the write to the confirmation. */
  latencyMs: number;
  message: string;
}

interface TestedPersistence {
  persistence: PersistenceTest;
  /** Null when the test passed. */
  failure: RedisFailure | null;
  /** What Redis showed meanwhile; null where it does not serve. */
  look: RedisLook | null;
}

/** Under fsync every second the server takes up to two. */
const CONFIRM_WITHIN_MS = 3_000;
/** A test record that could not be removed removes itself. */
const LIFE_SECONDS = 60;

/**
 * Writes a test record, reads it back over another connection, removes it and asks how safe that is: three commands, with all else
 * that status answers need. That the removal is confirmed confirms the record, which was written before it.
 */
async function testPersistence(deps: HealthDependencies): Promise<TestedPersistence> {
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
