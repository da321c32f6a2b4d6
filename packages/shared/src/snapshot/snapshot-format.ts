import { hash } from 'node:crypto';
import { promisify } from 'node:util';
import { createGunzip, gzip } from 'node:zlib';
import { z } from 'zod';
import { readIndexed, statusCode, type StoredRecord } from '../catalog/index.js';
import { isOwnId } from '../media/index.js';
import type { HostFile } from '../media-host/index.js';

/**
 * Grows with each change that an older reader would misread: of the lines, of the parts, and of the catalog's content
 * line (catalog/record.ts), which the lines repeat.
 */
const SNAPSHOT_VERSION = 1;

const FORMAT = 'holdfast-snapshot';

/** A snapshot that may not be used. newer: a newer version wrote it; damaged: it is not what was written. */
export class SnapshotFlaw extends Error {
  constructor(
    readonly why: 'newer' | 'damaged',
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

const count = z.int().min(0);

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
  parts: z.array(z.object({ bytes: count, sha256: z.string().regex(/^[0-9a-f]{64}$/) })),
});

/** Written last: a snapshot without one does not exist. */
export type SnapshotManifest = z.infer<typeof manifestSchema>;

/** The whole is checked by a hash over the manifest, which has the hashes of all parts. */
export function encodeManifest(manifest: Omit<SnapshotManifest, 'format' | 'version'>): Buffer {
  const body = { format: FORMAT, version: SNAPSHOT_VERSION, ...manifest };
  return Buffer.from(JSON.stringify({ ...body, sha256: hash('sha256', JSON.stringify(body)) }));
}

/** The manifest in these bytes; null is what the host no longer has. Throws SnapshotFlaw. */
export function readManifest(bytes: Buffer | null): SnapshotManifest {
  const { sha256, ...written } = parseObject(bytes);
  // A newer format may keep its checksum elsewhere.
  if (written['format'] === FORMAT && Number(written['version']) > SNAPSHOT_VERSION)
    throw new SnapshotFlaw('newer', 'manifest');
  // JSON gives the text again that was hashed: names keep their order.
  const isWhole = sha256 === hash('sha256', JSON.stringify(written));
  const manifest = isWhole ? manifestSchema.safeParse(written).data : undefined;
  if (manifest === undefined) throw new SnapshotFlaw('damaged', 'manifest');
  return manifest;
}

function parseObject(bytes: Buffer | null): Record<string, unknown> {
  try {
    return z.record(z.string(), z.unknown()).parse(JSON.parse(String(bytes)));
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
  /** Of the content. */
  revision: number;
}

/** A record, or a file that was deleted at this time since the epoch and must not come back with a snapshot or a listing. */
export type SnapshotLine = SnapshotRecord | { kind: 'tombstone'; id: string; deletedMs: number };

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

/** Throws on any other line. */
export function decodeLine(line: string): SnapshotLine {
  const [kind, id = '', third = '', fourth = '', content = ''] = line.split('\t');
  const status = statusOf[third];
  if (id !== '' && kind === 't' && /^[0-9]+$/.test(third))
    return { kind: 'tombstone', id, deletedMs: Number(third) };
  if (id === '' || kind !== 'r' || status === undefined || !/^[0-9]+$/.test(fourth))
    throw new Error('a line cannot be read');
  const [revision] = readIndexed(content);
  return { kind: 'record', id, status, pushedRevision: Number(fourth), content, revision };
}

/** Lines that are compressed at once, to less than 1 MB: a part may grow past its limit by so much. */
const LINES_AT_ONCE = 50;
const GZIP_LEVEL = 4;
const compress = promisify(gzip);

/**
 * The parts as they go to the host: whole lines, compressed with gzip, each part readable on its own and ended once it reaches
 * `partBytes`. At most one part is in memory. No lines, no part.
 */
export async function* writeParts(batches: AsyncIterable<readonly string[]>, partBytes: number) {
  // Members of gzip in a row are read as one.
  let members: Buffer[] = [];
  let bytes = 0;
  const part = (): Buffer => {
    const body = Buffer.concat(members);
    members = [];
    bytes = 0;
    return body;
  };
  for await (const lines of batches)
    for (let at = 0; at < lines.length; at += LINES_AT_ONCE) {
      const text = `${lines.slice(at, at + LINES_AT_ONCE).join('\n')}\n`;
      const member = await compress(text, { level: GZIP_LEVEL });
      members.push(member);
      bytes += member.length;
      if (bytes >= partBytes) yield part();
    }
  if (bytes > 0) yield part();
}

/** Text that is read at once, some hundred records: each batch costs three syncs of the server's disk. */
const BATCH_BYTES = 256 * 1024;

/** The lines of a part, in batches. Throws SnapshotFlaw where it is not the part that the manifest describes. */
export async function* readPart(body: Buffer | null, { bytes, sha256 }: SnapshotManifest['parts'][number]) {
  if (body?.length !== bytes || hash('sha256', body) !== sha256) throw new SnapshotFlaw('damaged', 'part');
  const text = createGunzip({ chunkSize: BATCH_BYTES }).setEncoding('utf8');
  text.end(body);
  let rest = '';
  try {
    for await (const chunk of text) {
      const lines = (rest + String(chunk)).split('\n');
      rest = lines.pop() ?? '';
      yield lines.map(decodeLine);
    }
    if (rest !== '') throw new Error('the last line of the part is not complete');
  } catch (cause) {
    throw new SnapshotFlaw('damaged', 'part', { cause });
  }
}

/** The files of a deployment, which its folder names: others on the same cloud have another one. */
export function snapshotPrefix(folder: string): string {
  return `holdfast-snapshots/${folder}/`;
}

/** `id` is that of the snapshot, which its parts carry too. */
export function manifestName(folder: string, id: string): string {
  return `${snapshotPrefix(folder)}${id}.manifest`;
}

/** `number` counts from 1. */
export function partName(folder: string, id: string, number: number): string {
  return `${snapshotPrefix(folder)}${id}.part-${String(number).padStart(4, '0')}`;
}

/** The files of one snapshot that are there, whether it is complete or not. */
interface SnapshotFiles {
  /** A ULID, so that ids sort by time. */
  id: string;
  /** Without one the snapshot was never finished. */
  manifest: HostFile | null;
  parts: HostFile[];
}

/** Newest first. Files below the prefix that are of a deployment further down, or not ours, are left out. */
export function groupFiles(folder: string, files: readonly HostFile[]): SnapshotFiles[] {
  const byId = new Map<string, SnapshotFiles>();
  for (const { file, id, kind } of filesIn(folder, files)) {
    if (!isOwnId(id) || !/^(manifest|part-[0-9]{4,})$/.test(kind)) continue;
    const snapshot = byId.get(id) ?? { id, manifest: null, parts: [] };
    byId.set(id, snapshot);
    if (kind === 'manifest') snapshot.manifest = file;
    else snapshot.parts.push(file);
  }
  return [...byId.values()].toSorted((a, b) => (a.id < b.id ? 1 : -1));
}

/** Those right below the prefix, with both parts of their names, `<id>.<kind>`. */
export function filesIn(folder: string, files: readonly HostFile[]) {
  const prefix = snapshotPrefix(folder);
  return files
    .filter(({ name }) => name.startsWith(prefix) && !name.includes('/', prefix.length))
    .map((file) => {
      const [, id = '', kind = ''] = /^([^.]*)[.](.*)$/.exec(file.name.slice(prefix.length)) ?? [];
      return { file, id, kind };
    });
}
