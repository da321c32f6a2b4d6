import { isHoldfastError } from '@holdfast/foundation/errors';
import type { Catalog } from '@holdfast/shared/catalog';
import type { CatalogHost } from '@holdfast/shared/catalog-host';
import { isAccepted, type StaleIntent } from '@holdfast/shared/intents';
import { pushJob, removeJob, verifyJob } from '@holdfast/shared/jobs';
import { idFromPublicId, recordFromAsset, type MediaRecord } from '@holdfast/shared/media';
import { findOwnAssets, isCircuitOpen, type MediaHost, type OwnAsset } from '@holdfast/shared/media-host';
import { redisEdge, type RedisClient } from '@holdfast/shared/redis';
import type { Dependencies } from '../dependencies.js';
import { inParallel, SWEPT_AT_ONCE } from '../sync-run/host-calls.js';

export interface SweepDependencies extends Pick<
  Dependencies,
  'keys' | 'intents' | 'catalog' | 'queues' | 'log'
> {
  redis: RedisClient;
  catalogHost: Pick<CatalogHost, 'read'>;
  host: Pick<MediaHost, 'identity' | 'find' | 'remove'>;
  folder: string;
}

/** For this long no other process begins one. */
const LEASE_MS = 4_000;
/** The next one handles what it did not reach. */
const LIMIT_MS = 25_000;
/** Items per round. */
export const AT_ONCE = 200;

/**
 * Finishes what crashes and failures left: uploads, refused ones too, edits that the host lacks, deletions that it has not
 * confirmed. The lease only saves work: each sweep is safe beside another, since scripts decide who may destroy what. Rejects once
 * all have ended, where one of them failed.
 */
export async function sweep(deps: SweepDependencies, stopping: AbortSignal): Promise<void> {
  const { redis, keys, log } = deps;
  const guarded = redisEdge('QUEUE_UNAVAILABLE');
  if ((await guarded(() => redis.set(keys.sweepLease, 1, 'PX', LEASE_MS, 'NX'))) === null) return;
  const signal = AbortSignal.any([stopping, AbortSignal.timeout(LIMIT_MS)]);
  await guarded(() => adoptOldRefusals(deps));
  // Side by side: one that has much to ask of a host that is far away must not hold up the others.
  const failures: unknown[] = [];
  const run = (step: string, work: Promise<void>): Promise<void> =>
    work.catch((error: unknown) => {
      log.warn('sweep.step_failed', { step, error });
      failures.push(error);
    });
  await Promise.all([
    run('intents', sweepIntents(deps, signal)),
    run('unpushed', sweepUnpushed(deps)),
    run('deleting', sweepDeleting(deps)),
  ]);
  if (failures.length > 0) throw failures[0];
}

/** 0.1.0 has a list of refused uploads beside the intents, `<resource type>:<public id>` by when their removal is due. */
async function adoptOldRefusals({ redis, keys, intents, folder }: SweepDependencies): Promise<void> {
  const listed = await redis.zrange(keys.refused, 0, String(AT_ONCE), 'WITHSCORES');
  for (let at = 0; at < listed.length; at += 2) {
    const [member = '', due] = listed.slice(at);
    const publicId = member.slice(member.indexOf(':') + 1);
    const id = idFromPublicId(folder, { publicId, resourceType: 'raw' });
    const state = id && (await intents.kill(id));
    // Where a client tries again under the same id, that upload decides.
    if (id && (state === 'absent' || state === 'dead'))
      await intents.refuse(id, { removal: { publicId, inMs: Number(due) - Date.now() }, acceptance: null });
    await redis.zrem(keys.refused, member);
  }
}

/** None of the other items can do without Redis. */
const isRedisAway = (error: unknown): boolean =>
  isHoldfastError(error, 'CATALOG_UNAVAILABLE', 'QUEUE_UNAVAILABLE');

type IntentDependencies = Omit<SweepDependencies, 'redis' | 'keys'>;

/** With the 5 s between two looks of the watch: often enough within a minute of the end of what kept an asset from being removed. */
const AGAIN_AFTER_MS = 5_000;
const SPREAD_MS = 10_000;

/**
 * Finishes or undoes uploads that a crash left between two steps (docs/architecture.md, crash windows), and removes refused ones that
 * could not be removed at once. Nothing is guessed: the host is asked, and where it does not answer the intent waits, for ever.
 */
export async function sweepIntents(deps: IntentDependencies, signal: AbortSignal): Promise<void> {
  const { intents, catalogHost, host, log } = deps;
  // Uploads that were cut off do not wait behind refused ones.
  const stale = await intents.stale(2 * AT_ONCE);
  if (stale.length === 0) return;
  const belongsTo = await catalogHost.read();
  const isItsHost = belongsTo === null || belongsTo === host.identity;
  await inParallel(stale, SWEPT_AT_ONCE, async (intent) => {
    if (signal.aborted) return;
    const { id, state } = intent;
    try {
      // What this host lacks may be on the one to which the catalog belongs.
      if (state !== 'dead' || isItsHost) return await settleIntent(intent, deps, signal);
    } catch (error) {
      if (isRedisAway(error)) throw error;
      // With an open circuit it was not even tried.
      if (!isCircuitOpen(error)) log.warn('sweep.intent_left', { id, state, error });
    }
    await intents.postpone(id, AGAIN_AFTER_MS + Math.random() * SPREAD_MS);
  });
}

const isCommitted = ({ carried }: OwnAsset): boolean => carried.mark.state === 'committed';

async function settleIntent(
  intent: StaleIntent,
  deps: IntentDependencies,
  signal: AbortSignal,
): Promise<void> {
  const { intents, catalog, host, folder, log } = deps;
  const { id, state } = intent;
  // Listed without a hash: kill takes it off the list.
  if (state === 'absent') return void (await intents.kill(id));
  const record = state === 'live' ? null : await catalog.find(id);
  if (state === 'settled' && record !== null) return verifyAgain(intent, record, deps);
  const ownAssets = (): Promise<OwnAsset[]> => findOwnAssets(host, folder, intent, signal);
  let left = await ownAssets();
  const committed = left.find(isCommitted);
  // Dead by `kill` alone where the second look below failed: not refused, so it may have been answered 202 (deferred).
  if (committed !== undefined && (state !== 'dead' || (await intents.revive(id)) === 'live'))
    return adopt(committed, id, deps);
  if (state === 'settled') {
    log.error('sweep.accepted_media_gone', { id });
    return intents.drop(id);
  }
  if (state === 'live') {
    // From here on no process can acknowledge this upload. One that came back to life has moved its heartbeat.
    if ((await intents.kill(id)) !== 'dead') return;
    // The host may have denied what it had: what turns out to be committed may have been answered 202 (deferred).
    left = await ownAssets();
    const denied = left.find(isCommitted);
    if (denied !== undefined) {
      if ((await intents.revive(id)) === 'live') await adopt(denied, id, deps);
      return;
    }
  }
  // Never acknowledged, and never will be: what the host has of it goes, then the intent. But a sync after a wipe may have adopted it.
  if (committed === undefined || record === null)
    for (const { asset } of left) await host.remove(asset, signal);
  log.info('sweep.upload_undone', { id });
  await intents.drop(id);
}

/** The asset carries the commit mark, so its upload may have been acknowledged: it is accepted. */
async function adopt({ asset }: OwnAsset, id: string, deps: IntentDependencies): Promise<void> {
  const record = recordFromAsset(asset, deps.folder, 'upload');
  const outcome = await deps.intents.accept({ record, committed: true, jobs: deps.queues.jobsOf(record) });
  if (isAccepted(outcome)) deps.log.warn('sweep.upload_finished', { id, outcome });
}

const willRun = new Set(['waiting', 'active', 'delayed', 'prioritized']);

/**
 * Adds the jobs of an accepted upload again, unless its verification will still run by itself. A long backlog is progress too: adding
 * jobs again would only make it longer. A save is not asked for: acceptance has written the record.
 */
async function verifyAgain(
  { id, tries }: StaleIntent,
  record: MediaRecord,
  { intents, queues, log }: IntentDependencies,
): Promise<void> {
  if (record.status !== 'saving' && record.status !== 'failed') return intents.drop(id);
  const job = verifyJob.idFor({ record, round: tries });
  const state = await redisEdge('QUEUE_UNAVAILABLE')(() => queues.queues.verify.getJobState(job));
  if (willRun.has(state)) return;
  const round = await intents.retry(id);
  if (round === 0) return;
  log.warn('sweep.upload_enqueued_again', { id, round });
  await queues.enqueueUpload(record, round);
}

type RetryDependencies = Pick<SweepDependencies, 'catalog' | 'queues'>;

/** Edits that the host still lacks, though their job is gone or has given up: one more job, at growing distances. */
export async function sweepUnpushed(deps: RetryDependencies): Promise<void> {
  for (const { record, round } of await dueAgain(deps, await deps.catalog.drawUnpushed(AT_ONCE)))
    await deps.queues.add(pushJob, { id: record.id, revision: record.revision, round });
}

/** Deletions that the host has not confirmed, though their job is gone or has given up: likewise. */
export async function sweepDeleting(deps: RetryDependencies): Promise<void> {
  for (const { record, round } of await dueAgain(deps, await deps.catalog.drawDeleting(AT_ONCE))) {
    const { id, publicId, resourceType } = record;
    await deps.queues.add(removeJob, { id, publicId, resourceType, round });
  }
}

type Unfinished = Awaited<ReturnType<Catalog['drawUnpushed']>>;

/** Those whose next try is due, with the round of it. */
async function dueAgain({ catalog }: RetryDependencies, unfinished: Unfinished) {
  const now = Date.now();
  const due = unfinished
    .map(({ id, sinceMs }) => ({ id, round: retryRound(now - sinceMs) }))
    .filter(({ round }) => round > 0);
  const found = await catalog.findStored(due.map(({ id }) => id));
  return due.flatMap(({ round }, index) => {
    const record = found[index]?.record;
    return record === undefined ? [] : [{ record, round }];
  });
}

const FIRST_MS = 30_000;
const HOUR_MS = 3_600_000;
const ROUNDS_IN_FIRST_HOUR = 7;

/**
 * The number of the try that something unfinished has reached by its age: after 30 s, 1, 2, 4 … minutes, then hourly,
 * for ever. Jobs carry it in their id, so each try is made once, however many processes sweep. 0 = too early.
 */
function retryRound(ageMs: number): number {
  if (ageMs < FIRST_MS) return 0;
  if (ageMs < HOUR_MS) return 1 + Math.floor(Math.log2(ageMs / FIRST_MS));
  return ROUNDS_IN_FIRST_HOUR + Math.floor(ageMs / HOUR_MS);
}
