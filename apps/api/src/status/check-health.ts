import { queueNames } from '@holdfast/shared/jobs';
import type { MediaHost } from '@holdfast/shared/media-host';
import type { Answer } from '../http/endpoint.js';
import { currentFindings, redisFacts, type FindingSources } from './current-findings.js';
import { hostStatus, type HostStatus } from './host-status.js';
import { storageStatus, type StorageStatus } from './storage-status.js';
import type { RecentResults } from './recent-results.js';
import { testPersistence, type PersistenceTest, type TestDependencies } from './test-persistence.js';

export type HealthStatus = 'healthy' | 'degraded' | 'unhealthy';

export interface HealthDependencies extends FindingSources, TestDependencies {
  redis: TestDependencies['redis'];
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
