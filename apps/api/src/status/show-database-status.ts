import type { Catalog } from '@holdfast/shared/catalog';
import type { Settings } from '@holdfast/foundation/config';
import type { MediaHost } from '@holdfast/shared/media-host';
import type { Answer } from '../http/endpoint.js';
import { currentFindings, type FindingSources } from './current-findings.js';
import type { RecentResults } from './recent-results.js';
import { hostStatus, storageStatus } from './storage-status.js';
import { redisFailure } from './redis-failure.js';
import { lookOrFailure, redisFacts, type LookDependencies } from './redis-look.js';

export interface DatabaseStatusDependencies extends FindingSources, LookDependencies {
  settings: Pick<Settings, 'redis' | 'host'>;
  catalog: Pick<Catalog, 'counts'>;
  host: MediaHost;
  recentResults: Pick<RecentResults, 'share'>;
}

/** What is stored and where. Answers also while Redis is away: then the counts are unknown, and say so. */
export const showDatabaseStatus = (deps: DatabaseStatusDependencies) => {
  const recent = deps.recentResults.share(() => measure(deps));
  return async (): Promise<Answer> => ({ status: 200, body: (await recent()).value });
};

async function measure(deps: DatabaseStatusDependencies) {
  const [counted, { findings, failure }, host] = await Promise.all([
    deps.catalog.counts().then(
      (counts) => ({ counts, failure: null }),
      async (error: unknown) => ({
        counts: null,
        failure: await redisFailure(error, deps.connections, deps.redisOutage),
      }),
    ),
    look(deps),
    hostStatus(deps.host),
  ]);
  return {
    storage: storageStatus(deps.settings, findings, counted.failure ?? failure),
    mediaCount: counted.counts?.total ?? null,
    byStatus: counted.counts?.byStatus ?? {},
    host: { ...host, place: hostPlace(deps.settings) },
  };
}

/** Reads may work while writes are refused, so one is tried. */
async function look(deps: DatabaseStatusDependencies) {
  const probe = { key: deps.keys.probe('status'), value: '1', seconds: 60 };
  const seen = await lookOrFailure(deps, probe);
  return {
    findings: await currentFindings(deps, await redisFacts(deps, seen.look)),
    failure: seen.failure,
  };
}

/** The cloud's name, or the folder of the files: for those with a key, not for everyone. */
function hostPlace({ host }: Pick<Settings, 'host'>): string {
  return host.kind === 'local' ? host.directory : host.cloudName;
}
