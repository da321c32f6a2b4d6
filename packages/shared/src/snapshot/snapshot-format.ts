import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { createGunzip, gzip } from 'node:zlib';
import { z } from 'zod';
import { statusCode, type StoredRecord } from '../catalog/index.js';

/**
 * Grows with each change that an older reader would misread: of the lines, of the parts, and of the catalog's content
 * line (catalog/record.ts), which the lines repeat.
 */
const SNAPSHOT_VERSION = 1;

const FORMAT = 'holdfast-snapshot';

const count = z.int().min(0);
const hash = z.string().regex(/^[0-9a-f]{64}$/);

const manifestSchema = z.object({
  format: z.literal(FORMAT),
  version: z.literal(SNAPSHOT_VERSION),
  id: z.string(),
  /** Of the deployment whose catalog it is. */
  folder: z.string(),
  /** When the catalog began to be read. Everything that changed on the host later may be missing. ISO 8601. */
  at: z.iso.datetime(),
  records: count,
  tombstones: count,
  /** In order. Sizes and SHA-256 are of the compressed parts. */
  parts: z.array(z.object({ bytes: count, sha256: hash })),
});

/** Written last: a snapshot without one does not exist. */
export type SnapshotManifest = z.infer<typeof manifestSchema>;

/** Why a manifest may not be used. newer: a newer version wrote it; damaged: it is not what was written. */
export type ManifestFlaw = 'newer' | 'damaged';

/** The whole is checked by a hash over the manifest, which has the hashes of all parts. */
export function encodeManifest(manifest: Omit<SnapshotManifest, 'format' | 'version'>): Buffer {
  const body = { format: FORMAT, version: SNAPSHOT_VERSION, ...manifest };
  return Buffer.from(JSON.stringify({ ...body, sha256: hashOf(body) }));
}

/** The manifest in these bytes. Never throws: what cannot be parsed is damaged. */
export function readManifest(bytes: Buffer): SnapshotManifest | ManifestFlaw {
  const { format, version, ...body } = parseObject(bytes);
  if (format !== FORMAT) return 'damaged';
  // A newer format may keep its checksum elsewhere.
  if (typeof version === 'number' && version > SNAPSHOT_VERSION) return 'newer';
  const { sha256, ...fields } = body;
  const written = { format, version, ...fields };
  return sha256 === hashOf(written) ? (manifestSchema.safeParse(written).data ?? 'damaged') : 'damaged';
}

/** Of the text that JSON gives again after it was parsed: names keep their order. */
function hashOf(body: object): string {
  return createHash('sha256').update(JSON.stringify(body)).digest('hex');
}

function parseObject(bytes: Buffer): Record<string, unknown> {
  try {
    return z.record(z.string(), z.unknown()).parse(JSON.parse(bytes.toString()));
  } catch {
    return {};
  }
}

/**
 * A line is either
 *   r <id> <status> <pushed revision> <content line of the catalog>
 *   t <id> <ms of the deletion>
 * with tabs in between, which JSON never has. Of what is measured only `missing` and `deleting` are kept; every other
 * record is measured again.
 */
export interface SnapshotRecord {
  kind: 'record';
  id: string;
  status: 'saving' | 'missing' | 'deleting';
  pushedRevision: number;
  content: string;
}

/** A file that was deleted, and must not come back with a snapshot or a listing. */
export interface SnapshotTombstone {
  kind: 'tombstone';
  id: string;
  /** Since the epoch. */
  deletedMs: number;
}

const statusOf: Readonly<Record<string, SnapshotRecord['status']>> = {
  [statusCode.saving]: 'saving',
  [statusCode.missing]: 'missing',
  [statusCode.deleting]: 'deleting',
};

export function encodeRecord({ id, status, pushedRevision, content }: StoredRecord): string {
  const code = statusCode[status === 'missing' || status === 'deleting' ? status : 'saving'];
  return `r\t${id}\t${code}\t${String(pushedRevision)}\t${content}`;
}

export function encodeTombstone(id: string, deletedMs: string): string {
  return `t\t${id}\t${deletedMs}`;
}

/** Null for any other line. */
export function decodeLine(line: string): SnapshotRecord | SnapshotTombstone | null {
  const [kind, id = '', third = '', fourth = '', content = ''] = line.split('\t');
  if (id === '') return null;
  if (kind === 't' && /^[0-9]+$/.test(third)) return { kind: 'tombstone', id, deletedMs: Number(third) };
  const status = statusOf[third];
  if (kind !== 'r' || status === undefined || !/^[0-9]+$/.test(fourth) || content === '') return null;
  return { kind: 'record', id, status, pushedRevision: Number(fourth), content };
}

/** One part as it goes to the host: whole lines, compressed with gzip. */
export interface SnapshotPart {
  /** Compressed. */
  body: Buffer;
  /** Hex, of the body. */
  sha256: string;
}

/** Text that is compressed at once: a part may grow past its limit by what this gives. */
const CHUNK_CHARS = 128 * 1024;
const GZIP_LEVEL = 4;
const compress = promisify(gzip);

/**
 * Compresses lines into parts, each readable on its own, that end once they reach `partBytes`. At most one part is in
 * memory. No lines, no part.
 */
export async function* writeParts(
  batches: AsyncIterable<readonly string[]>,
  partBytes: number,
): AsyncGenerator<SnapshotPart> {
  // Members of gzip in a row are read as one.
  let members: Buffer[] = [];
  let bytes = 0;
  const part = (): SnapshotPart => {
    const body = Buffer.concat(members);
    members = [];
    bytes = 0;
    return { body, sha256: sha256Of(body) };
  };
  for await (const text of chunksOf(batches)) {
    const member = await compress(text, { level: GZIP_LEVEL });
    members.push(member);
    bytes += member.length;
    if (bytes >= partBytes) yield part();
  }
  if (bytes > 0) yield part();
}

async function* chunksOf(batches: AsyncIterable<readonly string[]>): AsyncGenerator<string> {
  let text = '';
  for await (const lines of batches) {
    for (const line of lines) {
      text += `${line}\n`;
      if (text.length < CHUNK_CHARS) continue;
      yield text;
      text = '';
    }
  }
  if (text !== '') yield text;
}

export function sha256Of(body: Buffer): string {
  return createHash('sha256').update(body).digest('hex');
}

/** The lines of a part, `atMost` at once. Rejects where it is not the whole of a compressed part. */
export async function* readLines(body: Buffer, atMost: number): AsyncGenerator<string[]> {
  const text = createGunzip().setEncoding('utf8');
  text.end(body);
  let rest = '';
  let batch: string[] = [];
  for await (const chunk of text) {
    const lines = (rest + String(chunk)).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      batch.push(line);
      if (batch.length < atMost) continue;
      yield batch;
      batch = [];
    }
  }
  if (rest !== '') throw new Error('the last line of the part is not complete');
  if (batch.length > 0) yield batch;
}
