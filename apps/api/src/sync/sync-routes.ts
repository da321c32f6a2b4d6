import { setTimeout as pause } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { Job } from 'bullmq';
import { z } from 'zod';
import { SYNC_SCHEDULE, syncJob, syncModes, type SyncMode, type SyncPayload } from '@holdfast/shared/jobs';
import { newMediaId } from '@holdfast/shared/media';
import type { HostBudget } from '@holdfast/shared/media-host';
import { redisEdge } from '@holdfast/shared/redis';
import type { SyncState } from '@holdfast/shared/sync';
import type { Dependencies } from '../dependencies.js';
import { preferenceApplied, readWait, waitInPlace } from '../http/prefer.js';
import { pageLimit } from '../http/request-input.js';
import type { Answer, Input } from '../http/route.js';

const modeName = z.enum(syncModes, `must be ${syncModes.join(' or ')}`).optional();
const yesOrNo = z
  .enum(['true', 'false'], 'must be true or false')
  .transform((value) => value === 'true')
  .optional();
const flag = z.boolean('must be true or false').optional();

export const startSyncQuery = z.strictObject({
  mode: modeName.meta({
    description:
      '`full`, the default, lists every asset; `incremental` only what has changed since the last run.',
    default: 'full',
  }),
  dryRun: yesOrNo.describe('Only report.'),
  force: yesOrNo.describe('Apply a change that an earlier run held back because it was so large.'),
});
/** The same options: a dry run that is requested in the body must not become a real one. */
export const startSyncBody = z
  .strictObject({
    mode: modeName.describe('As in the query, which wins if both name it.'),
    dryRun: flag.describe('As in the query.'),
    force: flag.describe('As in the query.'),
  })
  .optional();

/** Requests a run, which starts once the current one has ended. Its id is known before. Throws QUEUE_UNAVAILABLE. */
export const startSync = (deps: Dependencies) => {
  const { syncState, shutdown, waits } = deps;
  // One request after the other, so that the second of two finds the job of the first.
  let before: Promise<unknown> = Promise.resolve();
  const request = (wanted: WantedRun): Promise<string> => {
    const requested = before.then(() => requestRun(deps, wanted));
    before = requested.catch(() => undefined);
    return requested;
  };
  type Asked = Input<never, z.output<typeof startSyncQuery>, z.output<typeof startSyncBody>>;
  return async ({ query, body, header, gone, context, client }: Asked): Promise<Answer> => {
    const { mode = 'full', dryRun = false, force = false } = { ...body, ...query };
    const alreadyRunning = (await syncState.read()).running !== null;
    const runId = await request({ mode, dryRun, force });
    context.log.info('sync.requested', { runId, mode, dryRun, force, client: context.client.name });
    const waitSeconds = readWait(header('prefer'));
    if (waitSeconds !== undefined) {
      const timeUp = AbortSignal.timeout(waitSeconds * 1_000);
      const run = await waitInPlace(waits, client, gone, (ended) =>
        finishedRun(syncState, runId, AbortSignal.any([ended, shutdown.draining, timeUp])),
      );
      if (run !== null) return { status: 200, body: run, headers: preferenceApplied(waitSeconds) };
    }
    return { status: 202, body: { runId, mode, alreadyRunning } };
  };
};

type WantedRun = Pick<SyncPayload, 'dryRun' | 'force'> & { mode: SyncMode };

/** More never wait: one of each kind, and the schedule's. */
const LOOKED_AT = 100;

/** The id of the run: of one that is still waiting to do the same, or a new one. A ULID, so ids are ordered by time. */
async function requestRun({ queues, syncState }: Dependencies, wanted: WantedRun): Promise<string> {
  const jobs = await redisEdge('QUEUE_UNAVAILABLE')(() =>
    queues.queues.sync.getJobs(['wait', 'prioritized', 'delayed', 'active'], 0, LOOKED_AT - 1),
  );
  // BullMQ's types hide it: a job may be gone between the reading of the lists and of the job.
  for (const job of jobs as (Job | undefined)[]) {
    const { trigger, runId, ...asked } = (job?.data ?? {}) as Partial<SyncPayload>;
    if (trigger !== 'manual' || runId === undefined || !isDeepStrictEqual(asked, wanted)) continue;
    // A job that waits for another run counts as active or delayed; only its run shows whether it has started.
    if ((await syncState.findRun(runId)) === null) return runId;
  }
  const runId = newMediaId();
  await queues.add(syncJob, { trigger: 'manual', runId, ...wanted });
  return runId;
}

const FIRST_LOOK_MS = 50;
const LONGEST_PAUSE_MS = 1_000;

/** The run once it has ended; null when the signal comes first. */
async function finishedRun(syncState: SyncState, runId: string, signal: AbortSignal) {
  for (let pauseMs = FIRST_LOOK_MS; !signal.aborted; pauseMs = Math.min(pauseMs * 1.5, LONGEST_PAUSE_MS)) {
    const run = await syncState.findRun(runId).catch(() => null);
    if (run !== null && run.finishedAt !== null) return run;
    await pause(pauseMs, undefined, { signal }).catch(() => undefined);
  }
  return null;
}

/** The running, the last and the next run. Throws CATALOG_UNAVAILABLE. */
export const showSyncStatus =
  ({ settings, syncState, queues, host }: Pick<Dependencies, 'settings' | 'syncState' | 'queues' | 'host'>) =>
  async (): Promise<Answer> => {
    const [facts, schedule] = await Promise.all([
      syncState.read(),
      redisEdge('CATALOG_UNAVAILABLE')(() => queues.queues.sync.getJobScheduler(SYNC_SCHEDULE)),
    ]);
    const { running, lastRun, lastFullRun, recentErrors, rateLimit, snapshot } = facts;
    const { every, next } = schedule ?? {};
    // The workers keep the schedule. Before one has set it, our own settings are all that is known.
    const intervalMinutes = every === undefined ? settings.sync.intervalMinutes : every / MINUTE_MS;
    return {
      status: 200,
      body: {
        enabled: intervalMinutes > 0,
        intervalMinutes,
        running: running?.run ?? null,
        lastRun,
        lastFullRun,
        nextRunAt: next === undefined ? null : new Date(next).toISOString(),
        recentErrors,
        rateLimit: lastHeard(rateLimit, host.budget()),
        snapshot: snapshot && { at: snapshot.at, records: snapshot.records, bytes: snapshot.bytes },
      },
    };
  };

const MINUTE_MS = 60_000;

/** What the fleet has kept, or a newer answer to this process: deletions may ask the host by asset id. */
function lastHeard(fleet: HostBudget | null, own: HostBudget | null): Omit<HostBudget, 'heardAt'> | null {
  const isOwn = own !== null && own.heardAt > (fleet?.heardAt ?? 0);
  const heard = isOwn ? own : fleet;
  return heard && { limit: heard.limit, remaining: heard.remaining, resetAt: heard.resetAt };
}

const STREAMED_AT_ONCE = 500;

export const driftQuery = z.strictObject({
  limit: pageLimit(100, 1_000),
  cursor: z
    .string('must be given once')
    .max(2_000, 'is too long')
    .exactOptional()
    .describe('`nextCursor` of the previous page.'),
  format: z
    .enum(['json', 'ndjson'], 'must be json or ndjson')
    .default('json')
    .describe('`ndjson` streams the whole report, one item per line.'),
});

/** What the last full run found different: a page, or all of it line by line. */
export const showDrift =
  ({ syncState }: Pick<Dependencies, 'syncState'>) =>
  async ({ query: { format, ...page } }: Input<never, z.output<typeof driftQuery>>): Promise<Answer> => {
    if (format === 'json') return { status: 200, body: await syncState.readDrift(page) };
    const first = await syncState.readDriftLines({ limit: STREAMED_AT_ONCE });
    return {
      status: 200,
      headers: {
        'Content-Type': 'application/x-ndjson',
        'X-Report-Cut': String(first.cut),
        ...(first.runId === null ? {} : { 'X-Run-Id': first.runId }),
      },
      stream: linesFrom(first, syncState),
    };
  };

/** Ends early when a newer report replaces this one: two halves of different reports do not make one. */
async function* linesFrom(first: Awaited<ReturnType<SyncState['readDriftLines']>>, syncState: SyncState) {
  for (let page = first; ;) {
    if (page.lines.length > 0) yield `${page.lines.join('\n')}\n`;
    if (page.nextCursor === null) return;
    page = await syncState.readDriftLines({ limit: STREAMED_AT_ONCE, cursor: page.nextCursor });
  }
}
