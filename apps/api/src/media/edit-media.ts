import { setTimeout as pause } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import type { Catalog } from '@holdfast/shared/catalog';
import type { Settings } from '@holdfast/foundation/config';
import { HoldfastError, isHoldfastError } from '@holdfast/foundation/errors';
import type { Intents } from '@holdfast/shared/intents';
import { pushJob, type MediaQueues } from '@holdfast/shared/jobs';
import type { Logger } from '@holdfast/foundation/logging';
import {
  editableFields,
  editBase,
  isUnpushed,
  type EditableFields,
  type MediaRecord,
} from '@holdfast/shared/media';
import type { MediaHost } from '@holdfast/shared/media-host';
import { pushRecord } from '@holdfast/shared/push';
import type { Answer, Input } from '../http/route.js';
import type { PublicAddress } from '../http/http-server.js';
import { findMedia, type FindDependencies } from './read-media.js';
import { mediaFieldRules } from './media-fields.js';
import {
  entityTag,
  expectedStates,
  presentMedia,
  refuseOtherState,
  type ExpectedStates,
} from './present-media.js';

/** A merge (RFC 7396) of the fields that clients may change: null clears, any other field is refused. */
export const mediaChanges = z
  .strictObject(
    {
      title: mediaFieldRules.title.nullable().optional(),
      description: mediaFieldRules.description.nullable().optional(),
      category: mediaFieldRules.category.nullable().optional(),
      tags: mediaFieldRules.tags.nullable().optional(),
    } satisfies Record<keyof EditableFields, z.ZodType>,
    { error: (issue) => (issue.code === 'invalid_type' ? 'must be a JSON object' : undefined) },
  )
  .refine((changes) => Object.keys(changes).length > 0, {
    error: `must name at least one of ${editableFields.join(', ')}`,
    // One problem at a time: an unknown field is not also a missing one.
    when: ({ issues }) => issues.length === 0,
  });

type MediaChanges = z.infer<typeof mediaChanges>;

export interface EditDependencies extends FindDependencies {
  catalog: Catalog;
  host: MediaHost;
  queues: MediaQueues;
  intents: Pick<Intents, 'accept' | 'findUnderWay'>;
  address: PublicAddress;
  settings: Pick<Settings, 'host'>;
}

/** The host must have an edit within 3 s for a 200 (contract, section 3). */
const PUSH_WITHIN_MS = 3_000;
/** Edits of others that may come between reading and writing. Of a crowd, only one gets through at a time. */
const TRIES = 100;

/** Changes what people write about a file: first in the catalog, then on the host, which must carry it too. */
export const editMedia =
  (deps: EditDependencies) =>
  async ({ params, body, header, context }: Input<'id', undefined, MediaChanges>): Promise<Answer> => {
    const { id } = params;
    const { record, changed } = await saveChanges(deps, id, body, expectedStates(header('if-match')));
    // The same edit may come again before the host has the first one.
    const done = !changed && !isUnpushed(record) ? true : await verifyAndPush(deps, record, context.log);
    const latest = (await deps.catalog.find(id)) ?? record;
    const media = presentMedia(latest.revision >= record.revision ? latest : record, deps.address);
    return { status: done ? 200 : 202, body: media, headers: { ETag: entityTag(media) } };
  };

/** Writes over exactly the record that was read; after a concurrent change, tries again unless the client insists on a state. */
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
    // The intent comes before the edit, so that the sweep verifies whatever a crash leaves of what follows.
    await deps.intents.accept({ record, committed: true });
    const mergeBase = { revision: next.revision, base: editBase(record), over: record.revision };
    const outcome = await deps.catalog.saveIf(next, record, isUnpushed(record) ? undefined : mergeBase);
    if (outcome === 'updated' || outcome === 'unchanged') return { record: next, changed: true };
    if (outcome === 'tombstoned') throw new HoldfastError('MEDIA_DELETING');
    // A random pause, so that a crowd spreads out.
    await pause(Math.random() * tries);
  }
  throw new HoldfastError('REVISION_MISMATCH', 'other clients keep changing this record; try again');
}

const cleared: EditableFields = { title: '', description: '', category: '', tags: [] };

/** The record with the changes, one revision later; null if nothing is different. */
function changeFields(record: MediaRecord, changes: MediaChanges, at: Date): MediaRecord | null {
  const fields = Object.keys(changes) as (keyof EditableFields)[];
  const next = {
    ...record,
    ...Object.fromEntries(fields.map((name) => [name, changes[name] ?? cleared[name]])),
  };
  if (isDeepStrictEqual(next, record)) return null;
  // Clocks of two replicas may differ; an edit never makes a record older.
  const updatedAt = new Date(Math.max(at.getTime(), Date.parse(record.updatedAt)));
  return { ...next, updatedAt: updatedAt.toISOString(), revision: record.revision + 1 };
}

function refuseUnsettled({ status }: MediaRecord): void {
  if (status === 'deleting') throw new HoldfastError('MEDIA_DELETING');
  if (status === 'missing' || status === 'deferred')
    throw new HoldfastError('MEDIA_UNSETTLED', `the status is ${status}`);
}

/** An edit in the catalog is verified like an upload, and goes to the host. False if jobs must carry on. */
async function verifyAndPush(deps: EditDependencies, record: MediaRecord, log: Logger): Promise<boolean> {
  const { id, revision } = record;
  const [isQueued, isPushed] = await Promise.all([
    deps.queues.enqueueUpload(record).then(
      () => true,
      (error: unknown) => {
        log.warn('media.edit_not_queued', { id, revision, error });
        return false;
      },
    ),
    pushInTime(deps, record, log),
  ]);
  return isQueued && isPushed;
}

/**
 * False if the host did not take it in time: a job carries on, or the sweep if even the job cannot be added. Throws
 * CATALOG_REBUILDING where Redis had lost an edit that the host has: that one comes into the catalog, and the client edits again.
 */
async function pushInTime(deps: EditDependencies, record: MediaRecord, log: Logger): Promise<boolean> {
  const { id, revision } = record;
  try {
    const { outcome, joined } = await pushRecord(deps, id, AbortSignal.timeout(PUSH_WITHIN_MS));
    if (outcome === 'overtaken') {
      // It is refused whatever fails from here on; what cannot be queued is verified by the sweep, by the intent of this edit.
      if (joined !== null) await deps.queues.enqueueUpload(joined).catch(() => undefined);
      throw new HoldfastError('CATALOG_REBUILDING', 'Redis had lost a revision that the host has; try again');
    }
    if (joined !== null) await deps.queues.enqueueUpload(joined);
    // Redis was emptied since the edit, which may be lost with it.
    if (outcome === 'gone') throw new HoldfastError('MEDIA_NOT_FOUND', 'the catalog lost the record');
    if (outcome === 'missing') throw new HoldfastError('MEDIA_NOT_FOUND', 'the host does not have the file');
    return true;
  } catch (error) {
    if (isHoldfastError(error, 'CATALOG_REBUILDING')) throw error;
    log.warn('media.push_deferred', { id, revision, error });
    await deps.queues
      .add(pushJob, { id, revision, round: 0 })
      .catch((reason: unknown) => log.warn('media.push_not_queued', { id, error: reason }));
    return false;
  }
}
