import { createHash } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { Readable } from 'node:stream';
import { HoldfastError, isHoldfastError, type ErrorCode } from '@holdfast/foundation/errors';
import type { StoredRecord } from '@holdfast/shared/catalog';
import {
  atItsPlace,
  bindingIn,
  fieldsWithoutMark,
  hostOfUrl,
  isOnAnotherHost,
  isUnpushed,
  pickEditable,
  readHostMetadata,
  recordOf,
  resourceTypes,
  writeHostMetadata,
  type Carried,
  type CarriedFields,
  type MediaRecord,
} from '@holdfast/shared/media';
import { isCircuitOpen, type AssetPage, type HostAsset, type MediaHost } from '@holdfast/shared/media-host';
import { pushRecord } from '@holdfast/shared/push';
import { createDeletionNotes } from '@holdfast/shared/snapshot';
import { applySteps } from '../reconcile/apply.js';
import { isContentChanged } from '../reconcile/asset-record.js';
import { isOpen } from '../reconcile/decide.js';
import {
  isCovered,
  pickStored,
  readPageFacts,
  seeAsset,
  type PageFacts,
  type SeenAsset,
} from '../reconcile/page-facts.js';
import { decideAssets } from '../reconcile/reconcile-page.js';
import { loadDeletions } from '../snapshot/restore-snapshot.js';
import { fetchPatiently, inParallel } from '../sync-run/host-calls.js';
import type { LeasedWork } from '../sync-run/sync-session.js';
import { expectedRecord, verifyRecords, type ExpectedRecord } from '../verify/verify-records.js';

/**
 * already: its record is on the target. deleted: here, or there is a note of it. uncommitted: its upload was never
 * acknowledged. outside: Redis does not know it, and the target does not sync its name. busy: a job works on the record, and might bring it back as it was.
 */
type Outcome = 'moved' | 'already' | 'deleted' | 'uncommitted' | 'outside' | 'busy';

/** Counts and problems are filled as it goes on, so that an interrupted move can say how far it came. */
export interface Move {
  deps: LeasedWork;
  source: MediaHost;
  /** Only says what would become of each file. */
  dryRun: boolean;
  /** `moved`: in a dry run, what would be. `bytes`: of the moved. */
  counts: Record<Outcome | 'listed' | 'bytes', number>;
  /** One for each file that was not moved. */
  problems: { id: string | null; publicId: string; code: string; message: string }[];
  /** Records on the target that are to be verified: a page of them at once, as each proof may wait for the server's disk. */
  unproven: ExpectedRecord[];
}

export function beginMove(deps: LeasedWork, source: MediaHost, dryRun: boolean): Move {
  const outcomes = { moved: 0, already: 0, deleted: 0, uncommitted: 0, outside: 0, busy: 0 };
  return { deps, source, dryRun, unproven: [], counts: { listed: 0, ...outcomes, bytes: 0 }, problems: [] };
}

const PAGE_SIZE = 500;
/** Each holds one file that is on its way, or one part of a large one. */
const FILES_AT_ONCE = 8;

/**
 * Copies what the source has, page by page, and points the records to it. Takes nothing off the source. Rejects where going on
 * makes no sense.
 */
export async function moveAll(moving: Move): Promise<void> {
  const { deps, source, dryRun, counts } = moving;
  const { signal } = deps;
  setMaxListeners(0, signal);
  // Redis may have been emptied since: what was deleted must not come along.
  for (const host of dryRun ? [] : [source, deps.host])
    if (!(await loadDeletions(host, deps)).isComplete)
      throw new HoldfastError('HOST_REJECTED', `the notes of deletions on ${host.identity} cannot be read`);
  for (const resourceType of resourceTypes) {
    let cursor: string | null = null;
    do {
      const request = { resourceType, cursor, limit: PAGE_SIZE, signal };
      const page: AssetPage = await fetchPatiently(() => source.list(request), deps);
      counts.listed += page.assets.length;
      await inParallel(page.assets, FILES_AT_ONCE, (asset) => moveOne(asset, moving));
      await verifyRecords(moving.unproven.splice(0), deps);
      cursor = page.nextCursor;
    } while (cursor !== null);
  }
  if (!dryRun) await settleRest(moving);
}

async function moveOne(asset: HostAsset, moving: Move): Promise<void> {
  const { deps, counts, problems } = moving;
  const report = (code: string, message: string): unknown =>
    problems.push({ id: null, publicId: asset.publicId, code, message });
  try {
    const outcome = await fetchPatiently(() => moveFile(asset, moving), deps);
    counts[outcome] += 1;
    if (outcome === 'moved') counts.bytes += asset.bytes;
    if (outcome === 'busy')
      report('MEDIA_UNSETTLED', 'a job is still changing this file: let a worker run, and move again');
  } catch (error) {
    // What would stop every other file as well ends the move.
    if (deps.signal.aborted || isCircuitOpen(error) || !isHoldfastError(error, ...ofOneFile)) throw error;
    report(error.code, error.message);
  }
}

const ofOneFile: readonly ErrorCode[] = [
  'CONFIG_INVALID',
  'HOST_REJECTED',
  'HOST_TIMEOUT',
  'HOST_LIMIT',
  'HOST_CONTENT_MISMATCH',
  'HOST_CONTEXT_UNWRITABLE',
  'MEDIA_NOT_FOUND',
  'ASSET_UNREADABLE',
];

/**
 * What is left in the catalog of the earlier host: deletions that need not be confirmed there any more, and records of files
 * that were not moved. No listing shows a file that is not there.
 */
async function settleRest({ deps, source, problems }: Move): Promise<void> {
  const { catalog, host, deletionNotes, settings, signal, log } = deps;
  // Their files stay on the earlier host, which must not give them again from a snapshot.
  const there = createDeletionNotes(source, settings, log);
  const reported = new Set(problems.map(({ publicId }) => publicId));
  const settle = async ({ id, publicId, assetId, status, url }: MediaRecord): Promise<void> => {
    if (!isOnAnotherHost(url, host.identity) || status === 'missing') return;
    if (status === 'deleting' && hostOfUrl(url) === source.identity) {
      await Promise.all([deletionNotes.add(id, signal), there.add(id, signal)]);
      await catalog.finishDelete(id, assetId);
    } else if (!reported.has(publicId)) {
      const message = 'the earlier host does not list this file';
      problems.push({ id, publicId, code: 'MEDIA_NOT_FOUND', message });
    }
  };
  let cursor: string | undefined;
  do {
    const page = await catalog.list({ limit: 100, order: 'oldest', ...(cursor && { cursor }) });
    await Promise.all(page.items.map(settle));
    cursor = page.nextCursor ?? undefined;
  } while (cursor !== undefined);
}

/** Edits and deletions may come between; each is met by the next try. */
const TRIES = 10;

/**
 * Copies one file to the target, with what it carries, and has the rules of the sync bring the copy into the catalog: its record
 * follows it there, as it is by then. May be repeated after a kill at any moment. Rejects with why the file could not be copied.
 */
async function moveFile(asset: HostAsset, moving: Move): Promise<Outcome> {
  const { deps, dryRun } = moving;
  const { catalog, settings, token, signal } = deps;
  const seen = seeAsset(asset, settings.host.folder);
  for (let tried = 0; tried < TRIES; tried += 1) {
    signal.throwIfAborted();
    const facts = await readPageFacts([seen], deps);
    const stored = storedOf(seen, facts);
    const outcome = outcomeOf(seen, stored, facts, deps);
    // A job works on a record for a moment only.
    if (dryRun) return outcome === 'busy' ? 'moved' : outcome;
    if (outcome === 'deleted') await removeCopy(asset, stored?.id ?? seen.fresh.id, deps);
    if (outcome === 'already' && stored) {
      // Also where an earlier try was killed before.
      if (isUnpushed(stored.record)) await pushRecord(deps, stored.id, signal);
      if (isOpen(stored)) moving.unproven.push(expectedRecord(stored.record, stored.content));
    }
    if (outcome !== 'moved') return tried > 0 && outcome === 'already' ? 'moved' : outcome;
    if (stored !== null && stored.status !== 'missing' && stored.record.publicId !== asset.publicId) {
      // Renamed since the last sync of the source: a copy under another name would be another file.
      await catalog.saveMany([{ record: atItsPlace(asset, stored.record), expect: stored }], token);
      continue;
    }
    const record = stored?.record ?? seen.fresh;
    const copy = await commitCopy(await copyBytes(asset, record, moving), seen, record, deps);
    await applySteps(deps, await decideAssets([copy], deps), deps.now());
  }
  return 'busy';
}

/** Of a renamed asset whose mark no sync has bound to it yet, the record is known by both while it has the same name. */
function storedOf(seen: SeenAsset, facts: PageFacts): StoredRecord | null {
  const byMark = facts.records.get(seen.carried?.fields.id ?? '') ?? null;
  return pickStored(seen, facts) ?? (byMark?.record.publicId === seen.asset.publicId ? byMark : null);
}

/**
 * What is to become of a file of the source. Throws CONFIG_INVALID for a file of ours that the target would not sync: it would be gone
 * from a catalog that is made from the target.
 */
function outcomeOf(
  { asset, fresh, carried }: SeenAsset,
  stored: StoredRecord | null,
  { tombstoned, withIntent }: PageFacts,
  { settings, host }: LeasedWork,
): Outcome {
  if (stored === null) {
    if (tombstoned.has(fresh.id)) return 'deleted';
    if (carried !== null && carried.mark.state !== 'committed') return 'uncommitted';
    if (withIntent.get(fresh.id) === 'refused') return 'uncommitted';
    if (withIntent.has(fresh.id)) return 'busy';
    return isCovered(asset.publicId, settings.host) ? 'moved' : 'outside';
  }
  const { record, status } = stored;
  if (status === 'deleting') return 'deleted';
  if (record.assetId !== asset.assetId && !isOnAnotherHost(record.url, host.identity)) return 'already';
  if (!isCovered(asset.publicId, settings.host))
    throw new HoldfastError(
      'CONFIG_INVALID',
      'its name is outside of CLOUDINARY_FOLDER and CLOUDINARY_SYNC_PREFIX: no sync would find it on the configured host',
    );
  return isOpen(stored) && withIntent.has(stored.id) ? 'busy' : 'moved';
}

/** After this a sync may remove copies of a move that was interrupted and not repeated. */
const COMMIT_WITHIN_SECONDS = 3_600;

/**
 * The file on the target, under the same name and with the same bytes: one that is there already, or a new copy, which has no
 * commit mark yet. Size and hashes are compared on the way and with what the target says. Throws HOST_CONTENT_MISMATCH where
 * they differ, HOST_REJECTED where another file has the name.
 */
async function copyBytes(
  asset: HostAsset,
  record: MediaRecord,
  { source, deps: { host: target, signal } }: Move,
): Promise<HostAsset> {
  const { publicId, resourceType } = asset;
  const ref = { publicId, resourceType };
  if (isContentChanged(asset, record)) throw otherBytes('earlier');
  const there = await target.find(ref, signal);
  if (there !== null) return requireSameFile(there, asset, record);
  const broken = source.kind === 'local' ? 'ASSET_UNREADABLE' : 'HOST_TIMEOUT';
  const { body, read } = hashed(await source.open(asset, signal), broken);
  const { asset: copy, existed } = await target.put({
    ref,
    metadata: writeHostMetadata({
      mark: { state: 'started', deadlineSeconds: COMMIT_WITHIN_SECONDS },
      fields: record,
    }),
    body,
    format: asset.format ?? '',
    contentLength: asset.bytes,
    signal,
  });
  if (existed) return requireSameFile(copy, asset, record);
  const { bytes, md5, sha256 } = read();
  const isAsListed =
    bytes === asset.bytes && md5 === (asset.etag ?? md5) && sha256 === (record.checksum.sha256 ?? sha256);
  if (isAsListed && copy.bytes === bytes && (copy.etag ?? md5) === md5) return copy;
  await target.remove(ref, signal);
  throw otherBytes(isAsListed ? 'configured' : 'earlier');
}

/** From an earlier try, or put there by a push that met it. */
function requireSameFile(there: HostAsset, asset: HostAsset, { id }: MediaRecord): HostAsset {
  if (readHostMetadata(there)?.fields.id !== id)
    throw new HoldfastError('HOST_REJECTED', 'another file has this name on the configured host');
  const hasOtherEtag = there.etag !== null && asset.etag !== null && there.etag !== asset.etag;
  if (there.bytes !== asset.bytes || hasOtherEtag) throw otherBytes('configured');
  return there;
}

function otherBytes(where: 'earlier' | 'configured'): HoldfastError {
  const what = { earlier: 'than it lists, or than were uploaded', configured: 'under this name' }[where];
  return new HoldfastError('HOST_CONTENT_MISMATCH', `the ${where} host has other bytes ${what}`);
}

/** The same bytes, counted and hashed as they pass. The stream fails with `broken` where the source does. */
function hashed(source: Readable, broken: ErrorCode) {
  const [md5, sha256] = [createHash('md5'), createHash('sha256')];
  let bytes = 0;
  async function* pass(): AsyncGenerator<Buffer, void, undefined> {
    try {
      for await (const chunk of source as AsyncIterable<Buffer>) {
        bytes += chunk.length;
        md5.update(chunk);
        sha256.update(chunk);
        yield chunk;
      }
    } catch (cause) {
      throw new HoldfastError(broken, 'the earlier host broke off a file', { cause });
    }
  }
  const body = Readable.from(pass(), { objectMode: false });
  // A body that is never read would leave the file, or the connection, open.
  body.on('close', () => source.destroy());
  return { body, read: () => ({ bytes, md5: md5.digest('hex'), sha256: sha256.digest('hex') }) };
}

/** Writes the commit mark, and all that the record needs to be rebuilt from this asset alone. */
function commitCopy(
  copy: HostAsset,
  { asset: original, carried }: SeenAsset,
  record: MediaRecord,
  { host, settings, signal }: LeasedWork,
): Promise<HostAsset> {
  const there = readHostMetadata(copy);
  // Committed by an earlier try, the copy may have been edited since.
  const isCommitted = there?.mark.state === 'committed';
  const fields = isCommitted ? there.fields : fieldsOf(original, carried, record);
  const boundTo = bindingIn(recordOf(copy, fields), settings.host.folder);
  // What others keep on the original comes along; the copy is shown as an upload would be.
  const shown = { ...copy, context: original.context };
  const metadata = writeHostMetadata({ mark: { state: 'committed' }, fields, boundTo }, shown);
  return host.annotate(copy, metadata, signal);
}

/** What the original says of the record, with the revision that it had of it. */
function fieldsOf(asset: HostAsset, carried: Carried | null, record: MediaRecord): CarriedFields {
  if (carried?.fields.id === record.id) return carried.fields;
  return { ...record, ...pickEditable(fieldsWithoutMark(asset, record)), revision: record.pushedRevision };
}

/** Deleted while it was copied, or after. Only a copy of this file goes. */
async function removeCopy(asset: HostAsset, id: string, { host, signal }: LeasedWork): Promise<void> {
  const there = await host.find(asset, signal);
  if (there !== null && readHostMetadata(there)?.fields.id === id) await host.remove(asset, signal);
}
