import type { MediaQueues } from '@holdfast/shared/jobs';
import { withinMs } from '@holdfast/shared/lifecycle';
import type { MediaHost } from '@holdfast/shared/media-host';
import { endpoint } from '../http/endpoint.js';
import { currentFindings, type FindingSources } from './current-findings.js';
import { hostStatus, type HostStatus } from './host-status.js';
import { storageStatus, type StorageStatus } from './storage-status.js';
import { createPersistenceTest, type PersistenceTest, type TestDependencies } from './test-persistence.js';

export type HealthStatus = 'healthy' | 'degraded' | 'unhealthy';

export interface HealthDependencies extends FindingSources, TestDependencies {
  redis: TestDependencies['redis'];
  keys: FindingSources['keys'] & TestDependencies['keys'];
  queues: Pick<MediaQueues, 'counts' | 'queues'>;
  host: MediaHost;
}

const COUNTS_WITHIN_MS = 700;

/** Measures: a record is written, read back and removed. 503 when that fails. */
export const checkHealth = (deps: HealthDependencies) => {
  const testPersistence = createPersistenceTest(deps);
  return endpoint({
    handle: async () => {
      const [{ persistence, failure }, { findings, workers }, counts, host] = await Promise.all([
        testPersistence(),
        currentFindings(deps),
        withinMs(COUNTS_WITHIN_MS, deps.queues.counts(), null).catch(() => null),
        hostStatus(deps.host),
      ]);
      const storage = storageStatus(deps.settings, findings, failure);
      const status = judge(persistence, storage, host);
      return {
        status: status === 'unhealthy' ? 503 : 200,
        body: {
          status,
          persistence,
          storage,
          queues: { available: counts !== null, workers, ...counts },
          host,
        },
      };
    },
  });
};

function judge(persistence: PersistenceTest, storage: StorageStatus, host: HostStatus): HealthStatus {
  if (!persistence.testPassed) return 'unhealthy';
  const warned = storage.findings.some(({ severity }) => severity !== 'notice');
  return warned || host.reachable === false || host.circuit === 'open' ? 'degraded' : 'healthy';
}
