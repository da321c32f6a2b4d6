import type { Gauge } from 'prom-client';
import type { Catalog } from '@holdfast/shared/catalog';
import type { Settings } from '@holdfast/foundation/config';
import { withinMs } from '@holdfast/foundation/lifecycle';
import type { HostBudget, MediaHost } from '@holdfast/shared/media-host';
import type { RedisKeys } from '@holdfast/shared/redis';
import { listedDeletions } from '@holdfast/shared/snapshot';
import type { Answer } from '../http/endpoint.js';
import { currentFindings, type FindingSources } from '../status/current-findings.js';
import { eachOnce } from '../status/deployment-findings.js';
import { lookOrFailure, redisFacts, type LookDependencies } from '../status/redis-look.js';
import type { RecentResults } from '../status/recent-results.js';
import type { ApiMetrics, ScrapeGauges } from './api-metrics.js';
import type { UploadSlots } from '../uploads/admission.js';

export interface MetricsDependencies extends FindingSources, LookDependencies {
  settings: Pick<Settings, 'redis' | 'uploads'>;
  keys: RedisKeys;
  metrics: Pick<ApiMetrics, 'registry' | 'gauges'>;
  catalog: Pick<Catalog, 'counts' | 'countTombstones'>;
  host: FindingSources['host'] & Pick<MediaHost, 'budget'>;
  uploadSlots: Pick<UploadSlots, 'running'>;
  deferred: { size(): number };
  recentResults: Pick<RecentResults, 'share'>;
}

const PATIENCE_MS = 700;
const PROBE_SECONDS = 60;

/** Prometheus text. What is not counted as it happens is read now: a process that nobody scrapes asks nothing of Redis. */
export const showMetrics = (deps: MetricsDependencies) => {
  const { registry, gauges } = deps.metrics;
  const recent = deps.recentResults.share(() => readAll(deps));
  return async (): Promise<Answer> => {
    setGauges(gauges, deps, (await recent()).value);
    return {
      status: 200,
      text: await registry.metrics(),
      headers: { 'Content-Type': registry.contentType },
    };
  };
};

/** Each is null where it is not known now. */
async function readAll(deps: MetricsDependencies) {
  const asked = <T>(work: Promise<T>): Promise<T | null> =>
    withinMs(PATIENCE_MS, work, null).catch(() => null);
  const [redis, media, tombstones, deletions, freeBytes] = await Promise.all([
    readRedis(deps),
    asked(deps.catalog.counts()),
    asked(deps.catalog.countTombstones()),
    asked(listedDeletions(deps.redis.request, deps.keys).sizes()),
    asked(deps.host.freeBytes()),
  ]);
  return { ...redis, media, tombstones, deletions, freeBytes };
}

/** Reads go on where Redis takes no writes, so a write is tried, as an upload would. */
async function readRedis(deps: MetricsDependencies) {
  const probe = { key: deps.keys.probe('metrics'), value: '1', seconds: PROBE_SECONDS };
  const { look, failure } = await lookOrFailure(deps, probe);
  const facts = await redisFacts(deps, look);
  const findings = await currentFindings(deps, facts);
  return {
    queues: look?.queues ?? null,
    findings: eachOnce([...(failure?.findings ?? []), ...findings]),
    workers: facts.workers,
    budget: look?.sync.rateLimit ?? null,
  };
}

type Seen = Awaited<ReturnType<typeof readAll>>;

function setGauges(gauges: ScrapeGauges, deps: MetricsDependencies, seen: Seen): void {
  // What is not known now must not stand there as it was.
  const { queueJobs, media, findings, ...single } = gauges;
  for (const gauge of [queueJobs, media, findings]) gauge.reset();
  for (const gauge of Object.values(single)) gauge.remove();
  const set = (gauge: Gauge, value: number | null | undefined): void => {
    if (value !== null && value !== undefined) gauge.set(value);
  };
  const { reachable } = deps.host.health();
  set(gauges.redisUp, seen.queues === null ? 0 : 1);
  set(gauges.hostUp, reachable === null ? null : Number(reachable));
  set(gauges.inFlight, deps.uploadSlots.running);
  set(gauges.slots, deps.settings.uploads.maxConcurrent);
  set(gauges.deferred, deps.deferred.size());
  set(gauges.workers, seen.workers);
  set(gauges.budget, remainingCalls(seen.budget ?? deps.host.budget()));
  set(gauges.free, seen.freeBytes);
  set(gauges.tombstones, seen.tombstones);
  set(gauges.deletionFiles, seen.deletions?.files);
  set(gauges.deletions, seen.deletions?.deletions);
  for (const [queue, { counts }] of Object.entries(seen.queues ?? {}))
    for (const [state, count] of Object.entries(counts)) queueJobs.set({ queue, state }, Number(count));
  for (const [status, count] of Object.entries(seen.media?.byStatus ?? {})) media.set({ status }, count);
  for (const { code, severity } of seen.findings) findings.set({ code, severity }, 1);
}

/** What was left before the host granted new calls says nothing of now. */
function remainingCalls(budget: HostBudget | null): number | null {
  return budget === null || Date.parse(budget.resetAt) <= Date.now() ? null : budget.remaining;
}
