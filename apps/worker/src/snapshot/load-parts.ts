import { readIndexed } from '@holdfast/shared/catalog';
import {
  decodeLine,
  partName,
  readLines,
  sha256Of,
  snapshotLoading,
  type LoadOutcome,
  type SnapshotManifest,
  type SnapshotRecord,
  type SnapshotTombstone,
} from '@holdfast/shared/snapshot';
import type { LeasedWork } from '../sync-run/sync-dependencies.js';
import type { ExpectedRecord } from '../verify/read-back.js';
import { verifyRecords } from '../verify/verify-records.js';
import type { HostFiles } from './load-deletions.js';

/** The parts are not what the manifest says. */
export class DamagedSnapshot extends Error {
  override readonly name = 'DamagedSnapshot';
}

export interface Loaded {
  /** Records written. The others of the snapshot were there already, as they are or newer. */
  created: number;
  /** Records that could not be verified; they stay `saving`. */
  unproven: number;
}

/** So many records at once: each batch costs three syncs of the server's disk, and holds up others for some 10 ms. */
const BATCH = 500;
/** So many batches at once: while Redis works on one, the next is decoded and the one before is compared. */
const BATCHES_AT_ONCE = 3;

const isThere: ReadonlySet<LoadOutcome> = new Set(['created', 'updated', 'unchanged']);

/**
 * Loads all parts of a snapshot, each after its hash was checked, while the next one is on its way. Records are verified
 * batch by batch, while the next ones are loaded. Nothing is under way any more when it ends. Throws DamagedSnapshot.
 */
export async function loadParts(
  manifest: SnapshotManifest,
  read: HostFiles['read'],
  work: LeasedWork,
): Promise<Loaded> {
  const { redis, keys, settings, token, signal } = work;
  const { folder } = settings.host;
  const loading = snapshotLoading(redis, keys, token);
  const lines = { records: 0, tombstones: 0 };
  const loaded: Loaded = { created: 0, unproven: 0 };
  const underWay: Promise<void>[] = [];

  const fetch = (index: number): Promise<Buffer | null> => {
    const part = manifest.parts[index];
    const body =
      part === undefined ? Promise.resolve(null) : read(partName(folder, manifest.id, index + 1), part.bytes);
    // Awaited when its turn comes; until then a failure must not count as unhandled.
    body.catch(() => undefined);
    return body;
  };

  const loadBatch = async (batch: readonly string[]): Promise<void> => {
    signal.throwIfAborted();
    const { records, tombstones, open } = decodeBatch(batch);
    lines.records += records.length;
    lines.tombstones += tombstones.length;
    await loading.loadTombstones(tombstones);
    const outcomes = await loading.loadRecords(records);
    loaded.created += outcomes.filter((outcome) => outcome === 'created' || outcome === 'updated').length;
    const there = new Set(
      records.flatMap(({ id }, index) => (isThere.has(outcomes[index] ?? 'stale') ? id : [])),
    );
    const unproven = await verifyRecords(
      open.filter(({ id }) => there.has(id)),
      work,
    );
    loaded.unproven += unproven;
  };

  const begin = async (batch: readonly string[]): Promise<void> => {
    if (underWay.length >= BATCHES_AT_ONCE) await underWay.shift();
    const load = loadBatch(batch);
    // Awaited when its turn comes.
    load.catch(() => undefined);
    underWay.push(load);
  };

  try {
    let coming = fetch(0);
    for (const [index, { bytes, sha256 }] of manifest.parts.entries()) {
      const body = await coming;
      if (body?.length !== bytes || sha256Of(body) !== sha256)
        throw new DamagedSnapshot(`part ${String(index + 1)}`);
      coming = fetch(index + 1);
      for await (const batch of linesOf(body)) await begin(batch);
    }
    await Promise.all(underWay);
  } finally {
    await Promise.allSettled(underWay);
  }
  if (lines.records !== manifest.records || lines.tombstones !== manifest.tombstones)
    throw new DamagedSnapshot('counts');
  return loaded;
}

async function* linesOf(body: Buffer): AsyncGenerator<string[]> {
  try {
    yield* readLines(body, BATCH);
  } catch (error) {
    throw new DamagedSnapshot('lines', { cause: error });
  }
}

interface Batch {
  records: SnapshotRecord[];
  tombstones: SnapshotTombstone[];
  /** Those that are to be verified: not what was noted as missing or deleted. */
  open: ExpectedRecord[];
}

function decodeBatch(batch: readonly string[]): Batch {
  const decoded: Batch = { records: [], tombstones: [], open: [] };
  for (const text of batch) {
    const line = decodeLine(text);
    if (line === null) throw new DamagedSnapshot('line');
    if (line.kind === 'tombstone') {
      decoded.tombstones.push(line);
      continue;
    }
    decoded.records.push(line);
    const revision = revisionOf(line);
    if (line.status === 'saving') decoded.open.push({ id: line.id, revision, content: line.content });
  }
  return decoded;
}

/** The hash of the part has proven the line. Only what its index entries are made of is decoded. */
function revisionOf({ content }: SnapshotRecord): number {
  try {
    return readIndexed(content)[0];
  } catch (error) {
    throw new DamagedSnapshot('record', { cause: error });
  }
}
