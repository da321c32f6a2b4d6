import type { Catalog } from '@holdfast/shared/catalog';
import { isHoldfastError } from '@holdfast/foundation/errors';
import { isAccepted, type Intents, type StaleIntent } from '@holdfast/shared/intents';
import { verifyJob, type MediaQueues } from '@holdfast/shared/jobs';
import type { Logger } from '@holdfast/foundation/logging';
import { recordFromAsset, type MediaRecord } from '@holdfast/shared/media';
import { findOwnAssets, isCircuitOpen, type MediaHost, type OwnAsset } from '@holdfast/shared/media-host';
import { fromRedisError } from '@holdfast/shared/redis';
import { inParallel, SWEPT_AT_ONCE } from '../sync-run/host-calls.js';

export interface SweepIntentsDependencies {
  intents: Pick<Intents, 'stale' | 'kill' | 'revive' | 'accept' | 'drop' | 'retry'>;
  catalog: Pick<Catalog, 'find'>;
  queues: Pick<MediaQueues, 'enqueueUpload' | 'jobsOf' | 'queues'>;
  host: Pick<MediaHost, 'find' | 'remove'>;
  folder: string;
  log: Logger;
}

const AT_ONCE = 200;

/**
 * Finishes or undoes uploads that a crash left between two steps (docs/architecture.md, crash windows).
 * Nothing is guessed: the host is asked, and where it does not answer the intent waits for the next sweep.
 */
export async function sweepIntents(deps: SweepIntentsDependencies, signal: AbortSignal): Promise<void> {
  await inParallel(await deps.intents.stale(AT_ONCE), SWEPT_AT_ONCE, async (intent) => {
    if (signal.aborted) return;
    try {
      await byState[intent.state](intent, deps, signal);
    } catch (error) {
      // Some of the others do not need the host.
      if (isCircuitOpen(error)) return;
      // None of the others can do without Redis.
      if (isHoldfastError(error, 'CATALOG_UNAVAILABLE', 'QUEUE_UNAVAILABLE')) throw error;
      deps.log.warn('sweep.intent_left', { id: intent.id, state: intent.state, error });
    }
  });
}

type Sweep = (intent: StaleIntent, deps: SweepIntentsDependencies, signal: AbortSignal) => Promise<void>;

const byState: Record<StaleIntent['state'], Sweep> = {
  live: async (intent, deps, signal) => {
    const { id } = intent;
    const committed = (await ownAssets(intent, deps, signal)).find(isCommitted);
    if (committed !== undefined) return adopt(committed, id, deps);
    // From here on no process can acknowledge this upload. One that came back to life has moved its heartbeat.
    if ((await deps.intents.kill(id)) !== 'dead') return;
    // The host may have denied what it had: what turns out to be committed may have been answered 202 (deferred).
    const left = await ownAssets(intent, deps, signal);
    const denied = left.find(isCommitted);
    if (denied === undefined) return undo(left, intent, deps, signal);
    if ((await deps.intents.revive(id)) === 'live') await adopt(denied, id, deps);
  },
  settled: async (intent, deps, signal) => {
    const { id, tries } = intent;
    const record = await deps.catalog.find(id);
    if (record === null) {
      const committed = (await ownAssets(intent, deps, signal)).find(isCommitted);
      if (committed !== undefined) return adopt(committed, id, deps);
      deps.log.error('sweep.accepted_media_gone', { id });
      return deps.intents.drop(id);
    }
    if (record.status !== 'saving' && record.status !== 'failed') return deps.intents.drop(id);
    if (await isVerificationUnderWay(deps.queues, record, tries)) return;
    const round = await deps.intents.retry(id);
    if (round === 0) return;
    deps.log.warn('sweep.upload_enqueued_again', { id, round });
    await deps.queues.enqueueUpload(record, round);
  },
  dead: async (...of) => undo(await ownAssets(...of), ...of),
  // Listed without a hash: kill takes it off the list.
  absent: async ({ id }, { intents }) => void (await intents.kill(id)),
};

const isCommitted = ({ carried }: OwnAsset): boolean => carried.mark.state === 'committed';

const ownAssets: (...of: Parameters<Sweep>) => Promise<OwnAsset[]> = (intent, { host, folder }, signal) =>
  findOwnAssets(host, folder, intent, signal);

/** The asset carries the commit mark, so its upload may have been acknowledged: it is accepted. */
async function adopt({ asset }: OwnAsset, id: string, deps: SweepIntentsDependencies): Promise<void> {
  const record: MediaRecord = recordFromAsset(asset, deps.folder, 'upload');
  const jobs = deps.queues.jobsOf(record);
  const outcome = await deps.intents.accept({ record, committed: true, jobs });
  if (isAccepted(outcome)) deps.log.warn('sweep.upload_finished', { id, outcome });
}

/** Never acknowledged, and never will be: what the host has of it goes, then the intent. */
async function undo(left: readonly OwnAsset[], ...[intent, deps, signal]: Parameters<Sweep>): Promise<void> {
  for (const { asset } of left) {
    const { publicId, resourceType } = asset;
    await deps.host.remove({ publicId, resourceType }, signal);
  }
  deps.log.info('sweep.upload_undone', { id: intent.id });
  await deps.intents.drop(intent.id);
}

const willRun = new Set(['waiting', 'active', 'delayed', 'prioritized']);

/**
 * Whether the verification of an upload, as added in this round, will still run by itself. A long backlog is progress
 * too: adding jobs again would only make it longer. A save is not asked for: acceptance has written the record.
 */
async function isVerificationUnderWay(
  { queues }: Pick<MediaQueues, 'queues'>,
  record: MediaRecord,
  round: number,
): Promise<boolean> {
  try {
    return willRun.has(await queues.verify.getJobState(verifyJob.idFor({ record, round })));
  } catch (error) {
    throw fromRedisError(error, 'QUEUE_UNAVAILABLE');
  }
}
