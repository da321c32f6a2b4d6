import { createHash } from 'node:crypto';
import { recordOfContent } from '@holdfast/shared/catalog';
import type { MediaRecord } from '@holdfast/shared/media';
import {
  decodeLine,
  partName,
  readLines,
  snapshotLoading,
  type LoadOutcome,
  type SnapshotManifest,
  type SnapshotRecord,
  type SnapshotTombstone,
} from '@holdfast/shared/snapshot';
import type { RestoreParts } from './restore-snapshot.js';

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

type LoadingParts = Pick<RestoreParts, 'redis' | 'keys' | 'folder' | 'token' | 'verify' | 'signal'> & {
  read: (name: string) => Promise<Buffer | null>;
};

/** So many records at once: each batch costs a few syncs of the server's disk, and holds up others for some 20 ms. */
const BATCH = 1_000;

const isThere: ReadonlySet<LoadOutcome> = new Set(['created', 'updated', 'unchanged']);

/**
 * Loads all parts of a snapshot, each after its hash was checked, while the next one is on its way. Records are verified
 * batch by batch, while the next batch is loaded. Throws DamagedSnapshot.
 */
export async function loadParts(manifest: SnapshotManifest, parts: LoadingParts): Promise<Loaded> {
  const { redis, keys, folder, token, verify, signal } = parts;
  const loading = snapshotLoading(redis, keys, token);
  const lines = { records: 0, tombstones: 0 };
  const loaded: Loaded = { created: 0, unproven: 0 };
  let verifying = Promise.resolve(0);

  const fetch = (index: number): Promise<Buffer | null> => {
    const body =
      index < manifest.parts.length
        ? parts.read(partName(folder, manifest.id, index + 1))
        : Promise.resolve(null);
    // Awaited when its turn comes; until then a failure must not count as unhandled.
    body.catch(() => undefined);
    return body;
  };

  const loadBatch = async (batch: readonly string[]): Promise<void> => {
    signal.throwIfAborted();
    const { records, tombstones, open } = decodeBatch(batch);
    lines.records += records.length;
    lines.tombstones += tombstones.length;
    await loading.tombstones(tombstones);
    const outcomes = await loading.records(records);
    loaded.created += outcomes.filter((word) => word === 'created' || word === 'updated').length;
    loaded.unproven += await verifying;
    const there = new Set(
      records.flatMap(({ id }, index) => (isThere.has(outcomes[index] ?? 'stale') ? id : [])),
    );
    verifying = verify(open.filter(({ id }) => there.has(id)));
    verifying.catch(() => undefined);
  };

  try {
    let coming = fetch(0);
    for (const [index, { bytes, sha256 }] of manifest.parts.entries()) {
      const body = await coming;
      if (body?.length !== bytes || createHash('sha256').update(body).digest('hex') !== sha256)
        throw new DamagedSnapshot(`part ${String(index + 1)}`);
      coming = fetch(index + 1);
      for await (const batch of readLines(body, BATCH)) await loadBatch(batch);
    }
  } finally {
    loaded.unproven += await verifying;
  }
  if (lines.records !== manifest.records || lines.tombstones !== manifest.tombstones)
    throw new DamagedSnapshot('counts');
  return loaded;
}

interface Batch {
  records: SnapshotRecord[];
  tombstones: SnapshotTombstone[];
  /** Those that are to be verified: not what was noted as missing or deleted. */
  open: MediaRecord[];
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
    const record = readContent(line);
    if (line.status === 'saving') decoded.open.push(record);
  }
  return decoded;
}

function readContent({ id, content, pushedRevision }: SnapshotRecord): MediaRecord {
  try {
    return recordOfContent(id, content, pushedRevision);
  } catch (error) {
    throw new DamagedSnapshot('record', { cause: error });
  }
}
