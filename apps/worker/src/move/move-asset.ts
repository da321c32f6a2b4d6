import { encodeContent, type StoredRecord } from '@holdfast/shared/catalog';
import {
  carriedFields,
  editsOnHostOnly,
  fieldsWithoutMark,
  isOnAnotherHost,
  isOwnId,
  readHostMetadata,
  recordFromAsset,
  rewriteHostMetadata,
  type MediaRecord,
} from '@holdfast/shared/media';
import type { HostAsset, MediaHost } from '@holdfast/shared/media-host';
import { asTheHostHasIt, bindingIn, pickStored } from '../reconcile/asset-record.js';
import { isOpen } from '../reconcile/decide.js';
import {
  isCovered,
  readPageFacts,
  seeAsset,
  typedPublicId,
  type PageFacts,
  type SeenAsset,
} from '../reconcile/page-facts.js';
import type { LeasedWork } from '../sync-run/sync-dependencies.js';
import { expectedRecord, type ExpectedRecord } from '../verify/read-back.js';
import { copyAsset, type CopyParts } from './copy-asset.js';

export interface MoveParts {
  deps: LeasedWork;
  source: CopyParts['source'] & { host: MediaHost };
}

/**
 * already: its record is on the target. deleted: here, or there is a note of it. uncommitted: its upload was never
 * acknowledged. outside: the target does not sync its name. busy: a job works on the record; ask again.
 */
export type Passed = 'already' | 'deleted' | 'uncommitted' | 'outside' | 'busy';

/** What is to be done about one asset of the source; `stored` is its record, null where Redis has none. */
type Plan =
  | { pass: Passed; id: string; stored: StoredRecord | null }
  | { pass: null; record: MediaRecord; stored: StoredRecord | null };

/** What became of an asset; `open`: its record, where that is to be verified. */
export interface Moved {
  outcome: 'moved' | Passed;
  open: ExpectedRecord | null;
}

/** Edits and deletions may come between; each is met by the next try. */
const TRIES = 10;

/** What would become of an asset of the source; changes nothing. */
export async function planMove(asset: HostAsset, { deps }: MoveParts): Promise<Plan> {
  const seen = seeAsset(asset, deps.settings.host.folder);
  const facts = await readPageFacts([seen], deps);
  const stored = pickStored(asset, seen.ids, facts.records, seen.fresh.id);
  const pass = passOver(seen, stored, facts, deps);
  return pass === null
    ? { pass, stored, record: latest(seen, stored, facts, deps.settings.host.folder) }
    : { pass, stored, id: stored?.id ?? seen.fresh.id };
}

function passOver(
  { asset, fresh, carried }: SeenAsset,
  stored: StoredRecord | null,
  { marks }: PageFacts,
  { settings, host }: LeasedWork,
): Passed | null {
  if (stored === null) {
    if (marks.tombstoned.has(fresh.id)) return 'deleted';
    if (carried !== null && carried.mark.state !== 'committed') return 'uncommitted';
    if (marks.refused.has(typedPublicId(asset))) return 'uncommitted';
    if (marks.withIntent.has(fresh.id)) return 'busy';
    return isCovered(asset.publicId, settings.host) ? null : 'outside';
  }
  const { record, status } = stored;
  if (status === 'deleting') return 'deleted';
  if (record.assetId !== asset.assetId && !isOnAnotherHost(record.url, host.identity)) return 'already';
  // Its jobs carry the record as it is, and would bring that back.
  return isOpen(stored) && marks.withIntent.has(stored.id) ? 'busy' : null;
}

/** The record with what was edited on the source and not here. */
function latest(
  { asset, fresh, carried }: SeenAsset,
  stored: StoredRecord | null,
  { marks }: PageFacts,
  folder: string,
): MediaRecord {
  if (stored === null) return fresh;
  const { record } = stored;
  if (carried === null && !isOwnId(record.id) && record.revision === 1)
    return recordFromAsset(asset, folder, record.source);
  if (carried?.fields.id === record.id && carried.fields.revision > record.revision)
    return asTheHostHasIt(asset, carried.fields, record);
  const there = carried?.fields ?? fieldsWithoutMark(asset, record);
  const edits = editsOnHostOnly(asset, there, record, marks.mergeBases.get(record.id) ?? null);
  return Object.keys(edits).length === 0
    ? record
    : { ...record, ...edits, revision: record.revision + 1, updatedAt: new Date().toISOString() };
}

/**
 * Copies one asset to the target and points its record there, as it is by then: over exactly what was read, so that an edit
 * or a deletion that comes between is met again. May be repeated after a kill at any moment. Rejects with why the asset could not be copied.
 */
export async function moveAsset(asset: HostAsset, parts: MoveParts): Promise<Moved> {
  const { deps, source } = parts;
  const { catalog, host: target, token, signal } = deps;
  for (let left = TRIES; left > 0; left -= 1) {
    signal.throwIfAborted();
    const plan = await planMove(asset, parts);
    if (plan.pass !== null) {
      if (plan.pass === 'deleted') await removeCopy(asset, plan.id, deps);
      return { outcome: plan.pass, open: leftOpen(plan) };
    }
    const { stored } = plan;
    if (stored?.status === 'missing') {
      await catalog.restore([stored.id], token);
      continue;
    }
    const copy = await copyAsset(asset, plan.record, { source, target, signal });
    const record = await commitCopy(copy, plan.record, asset, deps);
    const content = encodeContent(record);
    const [outcome] = await catalog.saveMany([{ record, content, expect: stored ?? 'absent' }], token);
    if (outcome === 'created' || outcome === 'updated' || outcome === 'unchanged')
      return { outcome: 'moved', open: expectedRecord(record, content) };
  }
  return { outcome: 'busy', open: null };
}

/** An earlier try was killed before the record was verified. */
function leftOpen({ pass, stored }: { pass: Passed; stored: StoredRecord | null }): ExpectedRecord | null {
  if (pass !== 'already' || stored?.status !== 'saving') return null;
  return expectedRecord(stored.record, stored.content);
}

/** Writes the commit mark, and all that the record needs to be rebuilt from this asset alone. */
async function commitCopy(
  copy: HostAsset,
  given: MediaRecord,
  original: HostAsset,
  { host, settings, signal }: LeasedWork,
): Promise<MediaRecord> {
  const carried = readHostMetadata(copy);
  // Redis was emptied after an earlier try, and the copy was edited since.
  if (carried?.mark.state === 'committed' && carried.fields.revision > given.revision)
    return asTheHostHasIt(copy, carried.fields, given);
  const { assetId, publicId, displayName } = copy;
  const fields = carriedFields(given);
  // What others keep on the original comes along; the copy is shown as an upload would be.
  const there = {
    context: original.context,
    publicId,
    ...(displayName === undefined ? {} : { displayName }),
  };
  const metadata = rewriteHostMetadata(there, {
    mark: { state: 'committed' },
    fields,
    ...bindingIn({ ...given, assetId, publicId }, settings.host.folder),
  });
  return asTheHostHasIt(await host.annotate(copy, metadata, signal), fields, given);
}

/** Deleted while it was copied, or after. Only a copy of this media goes. */
async function removeCopy(
  { publicId, resourceType }: HostAsset,
  id: string,
  { host, signal }: LeasedWork,
): Promise<void> {
  const ref = { publicId, resourceType };
  const there = await host.find(ref, signal);
  if (there !== null && readHostMetadata(there)?.fields.id === id) await host.remove(ref, signal);
}
