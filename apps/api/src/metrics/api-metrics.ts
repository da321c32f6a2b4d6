import type { Request, RequestHandler, Response } from 'express';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Dependencies } from '../dependencies.js';
import type { Answer } from '../http/route.js';
import { contextOf } from '../http/request-context.js';
import { currentFindings, freeBytesOf } from '../status/findings.js';

/** How an upload ended for its client. */
const outcomes = ['accepted', 'verified', 'duplicate', 'replayed', 'refused', 'failed', 'aborted'] as const;

/** What the API counts as it happens. docs/operations.md lists the names. */
export function createApiMetrics(registry: Registry) {
  const registers = [registry];
  const uploads = new Counter({
    name: 'holdfast_uploads_total',
    help: 'Uploads by outcome: accepted (202), verified (201), duplicate, replayed, refused (4xx), failed (5xx), aborted.',
    labelNames: ['outcome'],
    registers,
  });
  for (const outcome of outcomes) uploads.inc({ outcome }, 0);
  const requests = new Counter({
    name: 'holdfast_http_requests_total',
    help: 'Requests, by method, route and status; status none: the client left before its answer.',
    labelNames: ['method', 'route', 'status'],
    registers,
  });
  const seconds = new Histogram({
    name: 'holdfast_http_request_duration_seconds',
    help: 'From the head of a request to the end of its answer. Event streams are left out.',
    labelNames: ['method', 'route'],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300],
    registers,
  });
  const problems = new Counter({
    name: 'holdfast_http_problems_total',
    help: 'Error answers, by route and code.',
    labelNames: ['route', 'code'],
    registers,
  });
  return { registry, uploads, requests, seconds, problems };
}

const methods = new Set(['GET', 'HEAD', 'POST', 'PATCH', 'PUT', 'DELETE', 'OPTIONS']);

const redisFailures: readonly unknown[] = ['CATALOG_UNAVAILABLE', 'CATALOG_REBUILDING', 'QUEUE_UNAVAILABLE'];

/**
 * Counts and times every request; after one that Redis failed its state is looked at again. Labels come from closed lists only: the
 * path of the route's row, never the one that was asked for; the status, or `none` where the client left before its answer.
 */
export function countRequests({ metrics, redisStates }: Dependencies): RequestHandler {
  const { requests, seconds, problems } = metrics;
  return (req, res, next) => {
    const start = performance.now();
    res.once('close', () => {
      const { route = 'none', problem } = contextOf(req);
      const method = methods.has(req.method) ? req.method : 'other';
      requests.inc({ method, route, status: res.headersSent ? String(res.statusCode) : 'none' });
      if (problem !== undefined) problems.inc({ route, code: problem });
      if (redisFailures.includes(problem)) redisStates.doubt();
      if (String(res.getHeader('content-type')).startsWith('text/event-stream')) return;
      seconds.observe({ method, route }, (performance.now() - start) / 1_000);
    });
    next();
  };
}

/** The upload route, with each request counted by its outcome once its answer is out or its client is gone. */
export function countUploads(
  serve: (req: Request, res: Response) => Promise<void>,
  uploads: Counter<'outcome'>,
): RequestHandler {
  return (req, res) => {
    res.once('close', () => uploads.inc({ outcome: outcomeOf(req, res) }));
    return serve(req, res);
  };
}

function outcomeOf(req: Request, res: Response): (typeof outcomes)[number] {
  if (!res.headersSent || contextOf(req).problem === 'CLIENT_ABORTED') return 'aborted';
  const { statusCode } = res;
  if (statusCode >= 500) return 'failed';
  if (statusCode >= 400) return 'refused';
  if (res.hasHeader('Idempotent-Replayed')) return 'replayed';
  if (statusCode === 200) return 'duplicate';
  return statusCode === 201 ? 'verified' : 'accepted';
}

/** Prometheus text. What is not counted as it happens is read now: a process that nobody scrapes asks nothing of Redis. */
export const showMetrics = (deps: Dependencies) => async (): Promise<Answer> => {
  const gauges = new Registry();
  /** What is not known is left out. */
  const show = (name: string, help: string, values: number | null | undefined | Series): void => {
    if (values === null || values === undefined) return;
    const series: Series = typeof values === 'number' ? [[{}, values]] : values;
    const labelNames = Object.keys(series[0]?.[0] ?? {});
    const gauge = new Gauge({ name: `holdfast_${name}`, help, labelNames, registers: [gauges] });
    for (const [labels, value] of series) gauge.set(labels, value);
  };
  const state = await deps.redisStates.read();
  const { look } = state;
  const [media, workers] = await Promise.all([state.counts(), state.workers()]);
  const { reachable } = deps.host.health();

  show('redis_up', '1 when Redis answered this scrape, else 0.', look === null ? 0 : 1);
  show(
    'host_up',
    '1 when the last call to the media host was answered, 0 when not; absent before the first.',
    reachable === null ? null : Number(reachable),
  );
  show('uploads_in_flight', 'Uploads in progress in this process.', deps.uploadSlots.running);
  show(
    'uploads_in_flight_limit',
    'The most uploads that this process takes at once (UPLOAD_MAX_CONCURRENT).',
    deps.settings.uploads.maxConcurrent,
  );
  show(
    'uploads_deferred',
    'Uploads acknowledged while Redis was away, held until it is back.',
    deps.deferred.size(),
  );
  show(
    'queue_jobs',
    'Jobs by queue and state; of the whole deployment (max, not sum).',
    Object.entries(look?.queues ?? {}).flatMap(([queue, { counts }]) =>
      Object.entries(counts).map(([name, count]) => [{ queue, state: name }, count] as const),
    ),
  );
  show(
    'media',
    'Files in the catalog by status; of the whole deployment (max, not sum).',
    Object.entries(media?.byStatus ?? {}).map(([status, count]) => [{ status }, count]),
  );
  show('workers', 'Workers that are alive; of the whole deployment (max, not sum).', workers);
  show(
    'findings',
    '1 for each finding that health shows now.',
    (await currentFindings(deps, state)).map(({ code, severity }) => [{ code, severity }, 1]),
  );
  const budget = look?.sync.rateLimit ?? deps.host.budget();
  // What was left before the host granted new calls says nothing of now.
  const isOfThisHour = budget !== null && Date.parse(budget.resetAt) > Date.now();
  show(
    'host_budget_remaining',
    'Metered calls left at the media host, by its last answer.',
    isOfThisHour ? budget.remaining : null,
  );
  show('host_free_bytes', 'Bytes that the disk of the local host still takes.', await freeBytesOf(deps.host));

  const { registry } = deps.metrics;
  const body = `${await registry.metrics()}\n${await gauges.metrics()}`;
  return { status: 200, body, headers: { 'Content-Type': registry.contentType } };
};

type Series = readonly (readonly [labels: Record<string, string>, value: number])[];
