import { setTimeout as pause } from 'node:timers/promises';
import { z } from 'zod';
import { createBackoff } from '@holdfast/shared/lifecycle';
import { syncModes } from '@holdfast/shared/jobs';
import type { SyncRun, SyncState } from '@holdfast/shared/sync';
import type { Answer, Input } from '../http/endpoint.js';
import { preferenceApplied, readPrefer, waitInPlace } from '../http/prefer.js';
import type { Shares } from '@holdfast/shared/http';
import type { Shutdown } from '../http/shutdown.js';
import { createAskForRun, type AskDependencies } from './ask-for-run.js';

const modeName = z.enum(syncModes, `must be ${syncModes.join(' or ')}`).optional();
const yesOrNo = z
  .enum(['true', 'false'], 'must be true or false')
  .transform((value) => value === 'true')
  .optional();
const flag = z.boolean('must be true or false').optional();

export const startSyncQuery = z.strictObject({
  mode: modeName.meta({
    description: '`full` lists every asset, `incremental` only what has changed since the last run.',
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

export interface StartSyncDependencies extends AskDependencies {
  syncState: Pick<SyncState, 'readStatus' | 'findRun'>;
  shutdown: Pick<Shutdown, 'draining'>;
  /** Requests that wait for their run. */
  waits: Shares;
}

const FIRST_LOOK_MS = 50;
const LONGEST_PAUSE_MS = 1_000;

/** Asks for a run, which begins once the running one has ended. Its id is known before it starts. */
export const startSync = ({ queues, syncState, shutdown, waits }: StartSyncDependencies) => {
  const askForRun = createAskForRun({ queues, syncState });
  return async (
    input: Input<never, z.output<typeof startSyncQuery>, z.output<typeof startSyncBody>>,
  ): Promise<Answer> => {
    const { header, gone, context, client } = input;
    const { mode = 'full', dryRun = false, force = false } = { ...input.body, ...input.query };
    const alreadyRunning = (await syncState.readStatus()).running !== null;
    const runId = await askForRun({ mode, dryRun, force });
    context.log.info('sync.requested', { runId, mode, dryRun, force, client: context.client.name });
    const { waitSeconds } = readPrefer(header('prefer'));
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

/** The run once it has ended; null when the signal comes first. */
async function finishedRun(
  syncState: Pick<SyncState, 'findRun'>,
  runId: string,
  signal: AbortSignal,
): Promise<SyncRun | null> {
  const rests = createBackoff();
  for (let pauseMs = FIRST_LOOK_MS; !signal.aborted; pauseMs = Math.min(pauseMs * 1.5, LONGEST_PAUSE_MS)) {
    const run = await syncState.findRun(runId).catch(() => undefined);
    if (typeof run?.finishedAt === 'string') return run;
    await pause(run === undefined ? rests.nextMs() : pauseMs, undefined, { signal }).catch(() => undefined);
  }
  return null;
}
