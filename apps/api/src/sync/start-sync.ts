import { setTimeout as pause } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { Job } from 'bullmq';
import { z } from 'zod';
import type { Shares } from '@holdfast/shared/http';
import { syncJob, syncModes, type MediaQueues, type SyncMode, type SyncPayload } from '@holdfast/shared/jobs';
import { newMediaId } from '@holdfast/shared/media';
import { redisEdge } from '@holdfast/shared/redis';
import type { SyncRun, SyncState } from '@holdfast/shared/sync';
import type { Answer, Input } from '../http/route.js';
import { preferenceApplied, readWait, waitInPlace } from '../http/prefer.js';
import type { Shutdown } from '../http/shutdown.js';

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

export interface StartSyncDependencies {
  queues: Pick<MediaQueues, 'add' | 'queues'>;
  syncState: Pick<SyncState, 'readStatus' | 'findRun'>;
  shutdown: Pick<Shutdown, 'draining'>;
  /** Requests that wait for their run. */
  waits: Shares;
}

const FIRST_LOOK_MS = 50;
const LONGEST_PAUSE_MS = 1_000;

/** Requests a run, which starts once the current one has ended. Its id is known before. Throws QUEUE_UNAVAILABLE. */
export const startSync = ({ queues, syncState, shutdown, waits }: StartSyncDependencies) => {
  // One request after the other, so that the second of two finds the job of the first.
  let before: Promise<unknown> = Promise.resolve();
  const request = (wanted: WantedRun): Promise<string> => {
    const requested = before.then(() => requestRun({ queues, syncState }, wanted));
    before = requested.catch(() => undefined);
    return requested;
  };
  return async ({
    query,
    body,
    header,
    gone,
    context,
    client,
  }: Input<never, z.output<typeof startSyncQuery>, z.output<typeof startSyncBody>>): Promise<Answer> => {
    const { mode = 'full', dryRun = false, force = false } = { ...body, ...query };
    const alreadyRunning = (await syncState.readStatus()).running !== null;
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
async function requestRun(
  { queues, syncState }: Pick<StartSyncDependencies, 'queues' | 'syncState'>,
  wanted: WantedRun,
): Promise<string> {
  const jobs = await redisEdge('QUEUE_UNAVAILABLE')(() =>
    queues.queues.sync.getJobs(['wait', 'prioritized', 'delayed', 'active'], 0, LOOKED_AT - 1),
  );
  // BullMQ's types hide it: a job may be gone between the reading of the lists and of the job.
  for (const job of jobs as (Job | undefined)[]) {
    const { trigger, runId, mode, dryRun, force } = (job?.data ?? {}) as Partial<SyncPayload>;
    if (trigger !== 'manual' || runId === undefined) continue;
    if (!isDeepStrictEqual({ mode, dryRun, force }, wanted)) continue;
    // A job that waits for another run counts as active or delayed; only its run shows whether it has started.
    if ((await syncState.findRun(runId)) === null) return runId;
  }
  const runId = newMediaId();
  await queues.add(syncJob, { trigger: 'manual', runId, ...wanted });
  return runId;
}

/** The run once it has ended; null when the signal comes first. */
async function finishedRun(
  syncState: Pick<SyncState, 'findRun'>,
  runId: string,
  signal: AbortSignal,
): Promise<SyncRun | null> {
  for (let pauseMs = FIRST_LOOK_MS; !signal.aborted; pauseMs = Math.min(pauseMs * 1.5, LONGEST_PAUSE_MS)) {
    const run = await syncState.findRun(runId).catch(() => null);
    if (run !== null && run.finishedAt !== null) return run;
    await pause(pauseMs, undefined, { signal }).catch(() => undefined);
  }
  return null;
}
