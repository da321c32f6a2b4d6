import type { Request, RequestHandler, Response } from 'express';
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import { contextOf } from '../http/request-context.js';

/** How an upload ended for its client. */
const outcomes = ['accepted', 'verified', 'duplicate', 'replayed', 'refused', 'failed', 'aborted'] as const;
type UploadOutcome = (typeof outcomes)[number];

/** What the API counts as it happens, and what it reads at each scrape. docs/operations.md lists the names. */
export interface ApiMetrics {
  registry: Registry;
  http: ReturnType<typeof createHttpMetrics>;
  uploads: Counter<'outcome'>;
  gauges: ScrapeGauges;
}

export function createApiMetrics(registry: Registry): ApiMetrics {
  const http = createHttpMetrics(registry);
  const uploads = new Counter({
    name: 'holdfast_uploads_total',
    help: 'Uploads by outcome: accepted (202), verified (201), duplicate, replayed, refused (4xx), failed (5xx), aborted.',
    labelNames: ['outcome'],
    registers: [registry],
  });
  for (const outcome of outcomes) uploads.inc({ outcome }, 0);
  return { registry, http, uploads, gauges: createGauges(registry) };
}

function createHttpMetrics(registry: Registry) {
  const registers = [registry];
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
  return { requests, seconds, problems };
}

export type ScrapeGauges = ReturnType<typeof createGauges>;

function createGauges(registry: Registry) {
  const gauge = (name: string, help: string, labelNames: string[] = []): Gauge =>
    new Gauge({ name: `holdfast_${name}`, help, labelNames, registers: [registry] });
  return {
    redisUp: gauge('redis_up', '1 when Redis answered this scrape, else 0.'),
    hostUp: gauge(
      'host_up',
      '1 when the last call to the media host was answered, 0 when not; absent before the first.',
    ),
    inFlight: gauge('uploads_in_flight', 'Uploads that this process carries now.'),
    slots: gauge(
      'uploads_in_flight_limit',
      'Uploads that this process carries at most (UPLOAD_MAX_CONCURRENT).',
    ),
    deferred: gauge('uploads_deferred', 'Uploads acknowledged while Redis was away, held until it is back.'),
    queueJobs: gauge('queue_jobs', 'Jobs by queue and state; of the whole deployment.', ['queue', 'state']),
    media: gauge('media', 'Media in the catalog by status; of the whole deployment.', ['status']),
    workers: gauge('workers', 'Workers that are alive; of the whole deployment.'),
    findings: gauge('findings', '1 for each finding that health shows now.', ['code', 'severity']),
    budget: gauge(
      'host_budget_remaining',
      'Metered calls that the media host still takes, by its last answer.',
    ),
    tombstones: gauge('tombstones', 'Ids that are kept from coming back; of the whole deployment.'),
    deletionFiles: gauge(
      'deletion_files',
      'Files of deletions on the media host, as far as Redis knows; of the whole deployment.',
    ),
    deletions: gauge('deletions_noted', 'Deletions that these files note; of the whole deployment.'),
    free: gauge('host_free_bytes', 'Bytes that the disk of the local host still takes.'),
  };
}

const methods = new Set(['GET', 'HEAD', 'POST', 'PATCH', 'PUT', 'DELETE', 'OPTIONS']);

/**
 * Counts and times every request. Labels come from closed lists only: the path of the route's row, never the one that was
 * asked for; the status, or `none` where the client left before its answer.
 */
export function countRequests({ requests, seconds, problems }: ApiMetrics['http']): RequestHandler {
  return (req, res, next) => {
    const start = performance.now();
    res.once('close', () => {
      const { route = 'none', problem } = contextOf(req);
      const method = methods.has(req.method) ? req.method : 'other';
      requests.inc({ method, route, status: res.headersSent ? String(res.statusCode) : 'none' });
      if (problem !== undefined) problems.inc({ route, code: problem });
      if (String(res.getHeader('content-type')).startsWith('text/event-stream')) return;
      seconds.observe({ method, route }, (performance.now() - start) / 1_000);
    });
    next();
  };
}

/** The upload route, with each request counted by its outcome once its answer is out or its client is gone. */
export function countUploads(
  serve: (req: Request, res: Response) => Promise<void>,
  uploads: ApiMetrics['uploads'],
): RequestHandler {
  return (req, res) => {
    res.once('close', () => uploads.inc({ outcome: outcomeOf(req, res) }));
    return serve(req, res);
  };
}

function outcomeOf(req: Request, res: Response): UploadOutcome {
  if (!res.headersSent || contextOf(req).problem === 'CLIENT_ABORTED') return 'aborted';
  const { statusCode } = res;
  if (statusCode >= 500) return 'failed';
  if (statusCode >= 400) return 'refused';
  if (res.hasHeader('Idempotent-Replayed')) return 'replayed';
  if (statusCode === 200) return 'duplicate';
  return statusCode === 201 ? 'verified' : 'accepted';
}
