import { setTimeout as pause } from 'node:timers/promises';
import type { Catalog } from '@holdfast/shared/catalog';
import { HoldfastError } from '@holdfast/shared/errors';
import type { Intents } from '@holdfast/shared/intents';
import { pushJob, type MediaQueues } from '@holdfast/shared/jobs';
import { isUnpushed, type MediaRecord } from '@holdfast/shared/media';
import type { MediaHost } from '@holdfast/shared/media-host';
import { pushRecord } from '@holdfast/shared/push';
import type { Answer, Input } from '../http/endpoint.js';
import type { PublicAddress } from '../http/http-server.js';
import type { RequestContext } from '../http/request-context.js';
import { changeFields, type MediaChanges } from './change-fields.js';
import { entityTag, expectedStates, refuseOtherState, type ExpectedStates } from './media-tag.js';
import { findMedia, type FindDependencies } from './find-media.js';
import { presentMedia } from './present-media.js';
import { takeInNewer } from './take-in-newer.js';

export interface EditDependencies extends FindDependencies {
  catalog: Catalog;
  host: MediaHost;
  queues: MediaQueues;
  intents: Pick<Intents, 'accept' | 'findUnderWay'>;
  address: PublicAddress;
  folder: string;
}

const PUSH_WITHIN_MS = 3_000;
/** Edits of others that may come between reading and writing before we say so: only one of a crowd gets through at a time. */
const TRIES = 100;
/** How often the host may turn out to have a newer revision than the catalog: once, unless Redis goes on losing them. */
const OVERTAKEN_AT_MOST = 3;

/** Changes what people write about a media: in the catalog first, then on the host, which must carry it too. */
export const editMedia =
  (deps: EditDependencies) =>
  async ({
    params: { id },
    body,
    header,
    context,
  }: Input<'id', undefined, MediaChanges>): Promise<Answer> => {
    const expected = expectedStates(header('if-match'));
    const { record, done } = await edit(deps, id, { changes: body, expected }, context);
    const latest = (await deps.catalog.find(id)) ?? record;
    const media = presentMedia(latest.revision >= record.revision ? latest : record, deps.address);
    return { status: done ? 200 : 202, body: media, headers: { ETag: entityTag(media) } };
  };

interface Edit {
  changes: MediaChanges;
  expected: ExpectedStates;
}

/** Once more over the host's revision where that was the newer one: on the older one, the edit would be lost. */
async function edit(
  deps: EditDependencies,
  id: string,
  { changes, expected }: Edit,
  context: RequestContext,
): Promise<{ record: MediaRecord; done: boolean }> {
  for (let left = OVERTAKEN_AT_MOST; left > 0; left -= 1) {
    const { record, changed } = await saveChanges(deps, id, changes, expected);
    let end: End = 'done';
    if (changed) end = await carryOn(deps, record, context);
    // Repeated before the host had it.
    else if (isUnpushed(record)) end = await pushInTime(deps, record, context);
    if (end !== 'overtaken') return { record, done: end === 'done' };
    context.log.warn('media.edit_overtaken', { id, revision: record.revision });
    if (!(await takeInNewer(deps, record, AbortSignal.timeout(PUSH_WITHIN_MS)))) break;
    const latest = await findMedia(deps, id);
    // Another edit, made over this one at the same time, has it with its own.
    if (changeFields(latest, changes, new Date()) === null)
      return { record: latest, done: !isUnpushed(latest) };
  }
  throw new HoldfastError('REVISION_MISMATCH', 'the host has a newer revision; try again');
}

/** Over the record that was read, again when another change came between, unless the client insists on a state that is gone. */
async function saveChanges(
  deps: EditDependencies,
  id: string,
  changes: MediaChanges,
  expected: ExpectedStates,
): Promise<{ record: MediaRecord; changed: boolean }> {
  for (let tries = 0; tries < TRIES; tries += 1) {
    const record = await findMedia(deps, id);
    refuseUnsettled(record);
    refuseOtherState(expected, record);
    const next = changeFields(record, changes, new Date());
    if (next === null) return { record, changed: false };
    // An intent before the edit: whatever a crash leaves of what follows, the sweep verifies what is there.
    await Promise.all([
      deps.intents.accept({ record, committed: true }),
      isUnpushed(record) ? undefined : deps.catalog.keepMergeBase(record),
    ]);
    const outcome = await deps.catalog.saveIf(next, record);
    if (outcome === 'updated' || outcome === 'unchanged') return { record: next, changed: true };
    if (outcome === 'tombstoned') throw new HoldfastError('MEDIA_DELETING');
    // At random, so that a crowd spreads out.
    await pause(Math.random() * tries);
  }
  throw new HoldfastError('REVISION_MISMATCH', 'others keep changing this media; try again');
}

function refuseUnsettled({ status }: MediaRecord): void {
  if (status === 'deleting') throw new HoldfastError('MEDIA_DELETING');
  if (status === 'missing' || status === 'deferred')
    throw new HoldfastError('MEDIA_UNSETTLED', `the media is ${status}`);
}

/** overtaken: the host has a newer revision, over which the edit is not. later: not all of it is done, and jobs go on. */
type End = 'done' | 'later' | 'overtaken';

/** What follows an edit that is in the catalog: it is verified like an upload, and the host gets it. */
async function carryOn(deps: EditDependencies, record: MediaRecord, context: RequestContext): Promise<End> {
  const [queued, pushed] = await Promise.all([
    queueVerification(deps, record, context),
    pushInTime(deps, record, context),
  ]);
  return queued || pushed === 'overtaken' ? pushed : 'later';
}

async function queueVerification(
  { queues }: EditDependencies,
  record: MediaRecord,
  { log }: RequestContext,
): Promise<boolean> {
  try {
    await queues.enqueueUpload(record);
    return true;
  } catch (error) {
    log.warn('media.edit_not_queued', { id: record.id, revision: record.revision, error });
    return false;
  }
}

/** `later` when the host did not have it in time: a job goes on, and the sweep where even that cannot be added. */
async function pushInTime(
  deps: EditDependencies,
  record: MediaRecord,
  { log }: RequestContext,
): Promise<End> {
  try {
    const { outcome, joined } = await pushRecord(deps, record.id, AbortSignal.timeout(PUSH_WITHIN_MS));
    if (joined !== null) await deps.queues.enqueueUpload(joined);
    // Redis was emptied since the edit, which may be lost with it.
    if (outcome === 'gone')
      throw new HoldfastError('MEDIA_NOT_FOUND', 'the catalog does not have this media any more');
    if (outcome === 'missing')
      throw new HoldfastError('MEDIA_NOT_FOUND', 'the host does not have this media');
    return outcome === 'overtaken' ? 'overtaken' : 'done';
  } catch (error) {
    log.warn('media.push_deferred', { id: record.id, revision: record.revision, error });
    await deps.queues
      .add(pushJob, { id: record.id, revision: record.revision, round: 0 })
      .catch((reason: unknown) => log.warn('media.push_not_queued', { id: record.id, error: reason }));
    return 'later';
  }
}
