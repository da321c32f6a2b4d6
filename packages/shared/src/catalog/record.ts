import type { DurabilityLevel } from '@holdfast/foundation/config';
import type { MediaRecord, MediaSource, MediaStatus, MergeBase, ResourceType } from '../media/index.js';

/**
 * How a record is stored in Redis: JSON arrays on two lines, `measured` and `content`. The content has two parts with a separator
 * between them that JSON never holds raw, so that scripts read what the indexes need and leave the rest. Positions instead
 * of names, hashes in base64 and repeated parts left out keep a record small (docs/decisions/0005-records-and-indexes.md). `lua.ts`
 * must agree with what is said here.
 *
 * content:  [revision, type, createdMs, category, tags, sha256] ␟ [rest]   compared as text to tell "unchanged"
 * measured: [status, sequence, level, verifiedMs, attempts, pushedRevision, lastError, mergeBase?]
 */

/** Statuses and types as the stored lines and the names of indexes spell them. */
export const statusCode = {
  saving: 's',
  verified: 'v',
  deferred: 'd',
  failed: 'f',
  missing: 'm',
  deleting: 'x',
} as const satisfies Record<MediaStatus, string>;
/** As statusCode. These letters are in records and in names of Redis keys, so none may change. */
export const typeCode = { image: 'i', video: 'v', raw: 'r' } as const satisfies Record<ResourceType, string>;
/** As statusCode, on the measured line. */
export const levelCode = { written: 'w', fsynced: 'f', replicated: 'r' } as const satisfies Record<
  DurabilityLevel,
  string
>;
const sourceCode = { upload: 'u', direct: 'd', sync: 's', webhook: 'w' } as const satisfies Record<
  MediaSource,
  string
>;

const statusOf = invert(statusCode);
const typeOf = invert(typeCode);
const levelOf = invert(levelCode);
const sourceOf: Partial<Record<string, MediaSource>> = invert(sourceCode);

type MeasuredLine = [
  status: keyof typeof statusOf,
  sequence: number,
  level: keyof typeof levelOf | 0,
  verifiedMs: number,
  attempts: number,
  pushed: number,
  lastError: [code: string, message: string, atMs: number] | 0,
  /** See `MergeBase`; only while the host does not carry the revision. */
  mergeBase?: string,
];

/** Stands for the id inside the public id, and for that inside the url; one byte in JSON too, and in no real name. */
const PUBLIC_ID_MARK = '\u007f';

/** Between what the indexes need and the rest. */
export const SEPARATOR = '\u001f';

/** The part of a record that saves compare: two records with equal text are the same but for what is measured. */
export function encodeContent(record: MediaRecord): string {
  return JSON.stringify(indexedPart(record)) + SEPARATOR + JSON.stringify(restPart(record));
}

function indexedPart({ revision, resourceType, createdAt, category, tags, checksum }: MediaRecord) {
  return [
    revision,
    typeCode[resourceType],
    Date.parse(createdAt),
    category,
    tags.length === 0 ? (0 as const) : tags,
    packHex(checksum.sha256 ?? ''),
  ] as const;
}

function restPart(record: MediaRecord) {
  const { id, publicId } = record;
  return [
    publicId.endsWith(id) ? publicId.slice(0, -id.length) + PUBLIC_ID_MARK : publicId,
    packHex(record.assetId),
    record.format ?? '',
    record.bytes,
    record.width ?? -1,
    record.height ?? -1,
    record.durationSeconds ?? -1,
    record.url.replace(publicId, () => PUBLIC_ID_MARK),
    packHex(record.checksum.md5 ?? ''),
    record.filename,
    record.title,
    record.description,
    record.uploadedBy,
    sourceCode[record.source],
    record.updatedAt === record.createdAt ? 0 : Date.parse(record.updatedAt),
    record.hostVersion,
  ] as const;
}

/** A record as it was read from Redis, decoded as far as most readers need it. */
export interface StoredRecord {
  id: string;
  status: MediaStatus;
  /** The last revision that the host is known to carry. */
  pushedRevision: number;
  /** Of an edit that the host may lack; null where it is not known. */
  mergeBase: MergeBase | null;
  /** Decoded when it is first asked for: a sync compares most records by their content line alone. */
  readonly record: MediaRecord;
  /** Number of the record in the order of creation in this catalog. */
  sequence: number;
  /** The content line as stored. */
  content: string;
  /** Both lines as stored. */
  text: string;
}

/** What of a content line the indexes need. Throws where the text is no such line. */
export function readIndexed(content: string): ReturnType<typeof indexedPart> {
  return JSON.parse(content.slice(0, content.indexOf(SEPARATOR))) as ReturnType<typeof indexedPart>;
}

/** The letters of some codes, for a pattern that matches one of them. */
export const lettersOf = (codes: Record<string, string>): string => `[${Object.values(codes).join('')}]`;

/**
 * The two lines. A letter that this version does not know makes a record unreadable, since it would be shown as something else; more
 * fields at the end of a part do not. `read` in recordLua must decide the same: what one side takes for lost, the other writes again.
 */
const STORED = new RegExp(
  `^(\\["${lettersOf(statusCode)}",\\d+,(?:"${lettersOf(levelCode)}"|0),\\d+,\\d+,\\d+,[^\\n]*\\])\\n` +
    `(\\[\\d+,"${lettersOf(typeCode)}",-?\\d+,"[^\\n]*${SEPARATOR}\\[[^\\n]*\\])$`,
);

/**
 * A stored record, or null where this version cannot read the text: another program's, or the form of a newer version. It then
 * counts as lost: one such record must not fail a page, and the next full sync writes it again from the host.
 */
export function decodeRecord(id: string, stored: string | null | undefined): StoredRecord | null {
  const [text, line, content] = STORED.exec(stored ?? '') ?? [];
  if (text === undefined || line === undefined || content === undefined) return null;
  const measured = JSON.parse(line) as MeasuredLine;
  let record: MediaRecord | undefined;
  return {
    id,
    status: statusOf[measured[0]],
    sequence: measured[1],
    pushedRevision: measured[5],
    mergeBase: decodeMergeBase(measured[7]),
    content,
    text,
    get record() {
      return (record ??= toRecord(id, measured, content));
    },
  };
}

function toRecord(id: string, measured: MeasuredLine, content: string): MediaRecord {
  const [status, , level, verifiedMs, attempts, pushed, lastError] = measured;
  const [revision, type, createdMs, category, tags, sha256] = readIndexed(content);
  const rest = JSON.parse(content.slice(content.indexOf(SEPARATOR) + 1)) as ReturnType<typeof restPart>;
  const [storedPublicId, assetId, format, bytes, width, height, duration, url, md5, ...described] = rest;
  const [filename, title, description, uploadedBy, source, updatedMs, hostVersion] = described;
  const publicId = storedPublicId.replace(PUBLIC_ID_MARK, () => id);
  return {
    id,
    status: statusOf[status],
    publicId,
    assetId: unpackHex(assetId),
    resourceType: typeOf[type],
    format: format === '' ? null : format,
    bytes,
    width: orNull(width),
    height: orNull(height),
    durationSeconds: orNull(duration),
    url: url.replace(PUBLIC_ID_MARK, () => publicId),
    checksum: { sha256: sha256 === '' ? null : unpackHex(sha256), md5: md5 === '' ? null : unpackHex(md5) },
    filename,
    title,
    description,
    category,
    tags: tags === 0 ? [] : tags,
    uploadedBy,
    // As the mark on the host is read, see host-metadata.ts.
    source: sourceOf[source] ?? 'upload',
    createdAt: new Date(createdMs).toISOString(),
    updatedAt: new Date(updatedMs === 0 ? createdMs : updatedMs).toISOString(),
    revision,
    persistence: {
      level: level === 0 ? null : levelOf[level],
      verifiedAt: verifiedMs === 0 ? null : new Date(verifiedMs).toISOString(),
      attempts,
    },
    lastError:
      lastError === 0
        ? null
        : { code: lastError[0], message: lastError[1], at: new Date(lastError[2]).toISOString() },
    hostVersion,
    pushedRevision: pushed,
  };
}

/** A merge base as the measured line keeps it. */
export function encodeMergeBase({ revision, base, over }: MergeBase): string {
  return `${String(revision)}:${base}:${String(over)}`;
}

function decodeMergeBase(stored: unknown): MergeBase | null {
  const [revision, base, over] = typeof stored === 'string' ? stored.split(':') : [];
  return base === undefined ? null : { revision: Number(revision), base, over: Number(over) };
}

function orNull(value: number): number | null {
  return value < 0 ? null : value;
}

/** The name of each code. */
function invert<const Codes extends Record<string, string>>(codes: Codes) {
  return Object.fromEntries(Object.entries(codes).map(([name, code]) => [code, name])) as {
    [Name in keyof Codes as Codes[Name]]: Name;
  };
}

const LOWER_HEX = /^[0-9a-f]+$/;

/** Lower-case hex in two thirds of the space; any other text unchanged. */
export function packHex(hex: string): string {
  return hex.length % 2 === 0 && LOWER_HEX.test(hex)
    ? `=${Buffer.from(hex, 'hex').toString('base64url')}`
    : hex;
}

function unpackHex(text: string): string {
  return text.startsWith('=') ? Buffer.from(text.slice(1), 'base64url').toString('hex') : text;
}
