import { createHash } from 'node:crypto';
import { z } from 'zod';

/**
 * Grows with each change that an older reader would misread: of the lines, of the parts, and of the catalog's content
 * line (record-codec.ts), which the lines repeat.
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

/** newer: another version than ours wrote it; damaged: not what was written. Neither may be used. */
export type ManifestReading =
  { kind: 'manifest'; manifest: SnapshotManifest } | { kind: 'refused'; why: 'newer' | 'damaged' };

/** The whole is checked by a hash over the manifest, which has the hashes of all parts. */
export function encodeManifest(manifest: Omit<SnapshotManifest, 'format' | 'version'>): Buffer {
  const body = { format: FORMAT, version: SNAPSHOT_VERSION, ...manifest };
  return Buffer.from(JSON.stringify({ ...body, sha256: hashOf(body) }));
}

/** The manifest in these bytes, or why it may not be used. Never throws: what cannot be parsed is damaged. */
export function readManifest(bytes: Buffer): ManifestReading {
  const body = parseObject(bytes);
  if (body === null || body['format'] !== FORMAT) return { kind: 'refused', why: 'damaged' };
  const { version } = body;
  // A newer format may keep its checksum elsewhere.
  if (typeof version === 'number' && version > SNAPSHOT_VERSION) return { kind: 'refused', why: 'newer' };
  const { sha256, ...rest } = body;
  const { data } = manifestSchema.safeParse(rest);
  if (data === undefined || sha256 !== hashOf(rest)) return { kind: 'refused', why: 'damaged' };
  return { kind: 'manifest', manifest: data };
}

/** Of the text that JSON gives again after it was parsed: names keep their order. */
function hashOf(body: object): string {
  return createHash('sha256').update(JSON.stringify(body)).digest('hex');
}

function parseObject(bytes: Buffer): Record<string, unknown> | null {
  try {
    const parsed: unknown = JSON.parse(bytes.toString());
    return typeof parsed === 'object' && parsed !== null ? (parsed as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}
