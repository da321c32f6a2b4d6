import { setTimeout as pause } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { HoldfastError, isHoldfastError } from '@holdfast/foundation/errors';
import { withinMs } from '@holdfast/foundation/lifecycle';
import type { Logger } from '@holdfast/foundation/logging';
import { pushJob, removeJob } from '@holdfast/shared/jobs';
import {
  editableFields,
  editBase,
  emptyFields,
  isUnpushed,
  withEdits,
  type MediaRecord,
} from '@holdfast/shared/media';
import { pushRecord } from '@holdfast/shared/push';
import { removeRecord } from '@holdfast/shared/removal';
import type { Dependencies } from '../dependencies.js';
import type { Answer, Input } from '../http/route.js';
import { mediaFieldRules } from './media-fields.js';
import { acceptedMedia, entityTag, isOfAnyState, presentMedia, refuseOtherState } from './present-media.js';
import { findMedia } from './read-media.js';

/** A merge (RFC 7396) of the fields that clients may change: null clears, any other field is refused. */
export const mediaChanges = z
  .strictObject(
    Object.fromEntries(editableFields.map((name) => [name, mediaFieldRules[name].nullable().optional()])),
    { error: (issue) => (issue.code === 'invalid_type' ? 'must be a JSON object' : undefined) },
  )
  .refine((changes) => Object.keys(changes).length > 0, {
    error: `must name at least one of ${editableFields.join(', ')}`,
    // One problem at a time: an unknown field is not also a missing one.
    when: ({ issues }) => issues.length === 0,
  });

type MediaChanges = z.infer<typeof mediaChanges>;

/** The host must have an edit within 3 s for a 200 (contract, section 3). */
const PUSH_WITHIN_MS = 3_000;
const REMOVE_WITHIN_MS = 3_000;
/** How long the tombstone may take to reach the disk before the host is asked anyway. */
const BARRIER_WITHIN_MS = 1_500;
/** Changes of others that may come between reading and writing. Of a crowd, only one gets through at a time. */
const TRIES = 100;

/** Changes what people write about a file: first in the catalog, then on the host, which must carry it too. */
export const editMedia =
  (deps: Dependencies) =>
  async ({ params, body, header, context }: Input<'id', undefined, MediaChanges>): Promise<Answer> => {
    const { id } = params;
    const { record, isChanged } = await saveChanges(deps, id, body, header('if-match') ?? '*');
    // The same edit may come again before the host has the first one.
    const isDone = (!isChanged && !isUnpushed(record)) || (await verifyAndPush(deps, record, context.log));
    const latest = (await deps.catalog.find(id)) ?? record;
    const media = presentMedia(latest.revision >= record.revision ? latest : record, deps.address);
    return { status: isDone ? 200 : 202, body: media, headers: { ETag: entityTag(media) } };
  };

/** Deletes for good: tombstone, then the host, then the record. */
export const removeMedia =
  (deps: Dependencies) =>
  async ({ params, header, context }: Input<'id'>): Promise<Answer> => {
    const record = await writeTombstone(deps, params.id, header('if-match') ?? '*');
    await removeInTime(deps, record, context.log);
    return { status: 202, body: acceptedMedia({ ...record, status: 'deleting' }, deps.address) };
  };

/** Has `write` write over the record as it is now, and again over the next one where it answers null: others were faster. */
async function overLatest<Written>(
  deps: Dependencies,
  id: string,
  write: (record: MediaRecord) => Promise<Written | null>,
): Promise<Written> {
  for (let tries = 0; tries < TRIES; tries += 1) {
    const written = await write(await findMedia(deps, id));
    if (written !== null) return written;
    // A random pause, so that a crowd spreads out.
    await pause(Math.random() * tries);
  }
  throw new HoldfastError('REVISION_MISMATCH', 'other clients keep changing this record; try again');
}

function saveChanges(deps: Dependencies, id: string, changes: MediaChanges, ifMatch: string) {
  const fields = editableFields.filter((name) => name in changes);
  const edits = Object.fromEntries(fields.map((name) => [name, changes[name] ?? emptyFields[name]]));
  return overLatest(deps, id, async (record) => {
    const { status } = record;
    if (status === 'deleting') throw new HoldfastError('MEDIA_DELETING');
    if (status === 'missing' || status === 'deferred')
      throw new HoldfastError('MEDIA_UNSETTLED', `the status is ${status}`);
    refuseOtherState(ifMatch, record);
    if (isDeepStrictEqual({ ...record, ...edits }, record)) return { record, isChanged: false };
    const next = withEdits(record, edits);
    // The intent comes before the edit, so that the sweep verifies whatever a crash leaves of what follows.
    await deps.intents.accept({ record, committed: true });
    const mergeBase = { revision: next.revision, base: editBase(record), over: record.revision };
    const outcome = await deps.catalog.saveIf(next, record, isUnpushed(record) ? undefined : mergeBase);
    if (outcome === 'tombstoned') throw new HoldfastError('MEDIA_DELETING');
    return outcome === 'updated' || outcome === 'unchanged' ? { record: next, isChanged: true } : null;
  });
}

/**
 * An edit in the catalog is verified like an upload, and goes to the host. False if that did not take it in time: a job carries on, or
 * the sweep if even the job cannot be added. Throws CATALOG_REBUILDING where Redis had lost an edit that the host has: that one
 * comes into the catalog, and the client edits again.
 */
async function verifyAndPush(deps: Dependencies, record: MediaRecord, log: Logger): Promise<boolean> {
  const { id, revision } = record;
  const { queues } = deps;
  // What cannot be queued, here and below, is verified by the sweep, by the intent of this edit.
  const queued = queues
    .enqueueUpload(record)
    .catch((error: unknown) => log.warn('media.edit_not_queued', { id, revision, error }));
  try {
    const { outcome, joined } = await pushRecord(deps, id, AbortSignal.timeout(PUSH_WITHIN_MS));
    if (joined !== null) await queues.enqueueUpload(joined).catch(() => undefined);
    if (outcome === 'pushed' || outcome === 'nothing') return true;
    if (outcome === 'overtaken')
      throw new HoldfastError('CATALOG_REBUILDING', 'Redis had lost a revision that the host has; try again');
    // gone: Redis was emptied since the edit, which may be lost with it.
    throw new HoldfastError(
      'MEDIA_NOT_FOUND',
      `the ${outcome === 'gone' ? 'catalog' : 'host'} does not have it`,
    );
  } catch (error) {
    if (isHoldfastError(error, 'CATALOG_REBUILDING')) throw error;
    log.warn('media.push_deferred', { id, revision, error });
    await queues.add(pushJob, { id, revision, round: 0 }).catch(() => undefined);
    return false;
  } finally {
    await queued;
  }
}

/** With `If-Match` only over a state that the client has seen. */
function writeTombstone(deps: Dependencies, id: string, ifMatch: string): Promise<MediaRecord> {
  return overLatest(deps, id, async (record) => {
    if (record.status === 'deferred') throw new HoldfastError('MEDIA_UNSETTLED', 'the status is deferred');
    if (record.status !== 'deleting') refuseOtherState(ifMatch, record);
    const outcome = await deps.catalog.beginDelete(id, isOfAnyState(ifMatch) ? undefined : record);
    // The change may be one that the client does not care about.
    if (outcome === 'conflict') return null;
    if (outcome !== 'deleting') throw new HoldfastError('MEDIA_NOT_FOUND');
    await withinMs(BARRIER_WITHIN_MS, deps.barrier.confirm(), null).catch(() => null);
    return record;
  });
}

/** If the host does not confirm in time, a job carries on, or the sweep if even the job cannot be added. */
async function removeInTime(deps: Dependencies, record: MediaRecord, log: Logger): Promise<void> {
  const { id, publicId, resourceType } = record;
  const { catalog, queues } = deps;
  try {
    await removeRecord(deps, record, AbortSignal.timeout(REMOVE_WITHIN_MS));
  } catch (error) {
    log.warn('media.removal_deferred', { id, error });
    await catalog
      .beginDelete(id)
      // Redis was emptied since: without a tombstone the job would do nothing, and the file would come back.
      .then((outcome) => (outcome === 'absent' ? catalog.finishDelete(id) : outcome))
      .then(() => queues.add(removeJob, { id, publicId, resourceType, round: 0 }))
      .catch(() => undefined);
  }
}
