import type { Catalog } from '@holdfast/shared/catalog';
import type { Settings } from '@holdfast/shared/config';
import type { MediaHost } from '@holdfast/shared/media-host';
import type { RedisKeys } from '@holdfast/shared/redis';
import { endpoint } from '../http/endpoint.js';
import { currentFindings, type FindingSources } from './current-findings.js';
import { hostStatus } from './host-status.js';
import { storageStatus } from './storage-status.js';
import { redisFailure, type RedisFailure } from './redis-failure.js';
import type { RedisOutage } from './redis-outage.js';

export interface DatabaseStatusDependencies extends FindingSources {
  settings: Pick<Settings, 'redis' | 'host'>;
  redisOutage: RedisOutage;
  catalog: Pick<Catalog, 'counts'>;
  keys: FindingSources['keys'] & Pick<RedisKeys, 'probe'>;
  host: MediaHost;
}

/** What is stored and where. Answers also while Redis is away: then the counts are unknown, and say so. */
export const showDatabaseStatus = (deps: DatabaseStatusDependencies) =>
  endpoint({
    handle: async () => {
      const [counted, refusal, { findings }, host] = await Promise.all([
        deps.catalog.counts().then(
          (counts) => ({ counts, failure: null }),
          async (error: unknown) => ({
            counts: null,
            failure: await redisFailure(error, deps.connections, deps.redisOutage),
          }),
        ),
        testWriting(deps),
        currentFindings(deps),
        hostStatus(deps.host),
      ]);
      return {
        status: 200,
        body: {
          storage: storageStatus(deps.settings, findings, counted.failure ?? refusal),
          mediaCount: counted.counts?.total ?? null,
          byStatus: counted.counts?.byStatus ?? {},
          host: { ...host, place: hostPlace(deps.settings) },
        },
      };
    },
  });

/** Reads may work while writes are refused: why, or null. */
async function testWriting({
  redis,
  connections,
  keys,
  redisOutage,
}: DatabaseStatusDependencies): Promise<RedisFailure | null> {
  try {
    await redis.request.set(keys.probe('status'), '1', 'EX', 60);
    return null;
  } catch (error) {
    return redisFailure(error, connections, redisOutage);
  }
}

/** The cloud's name, or the folder of the files: for those with a key, not for everyone. */
function hostPlace({ host }: Pick<Settings, 'host'>): string {
  return host.kind === 'local' ? host.directory : host.cloudName;
}
