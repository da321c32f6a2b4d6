import type { MediaRecord } from '@holdfast/shared/media';
import type { Undo } from './undo-upload.js';
import type { FileDigest } from './upload-form.js';
import type { Uploads } from './uploads.js';

const CONFIRM_WITHIN_MS = 3_000;
/** Of the copies, the newest. */
const COPIES_AT_MOST = 100;
/** One confirmed copy is enough; at most this many unconfirmed ones are tried. */
const LOOK_AT_MOST = 5;

/**
 * The record of a file with these bytes from the same uploader that the host confirms at this moment, or null, also when nobody
 * can tell: the new copy is then kept.
 */
export async function findDuplicate(
  { catalog, host }: Pick<Uploads, 'catalog' | 'host'>,
  file: FileDigest,
  uploadedBy: string,
): Promise<MediaRecord | null> {
  const copies = { sha256: file.sha256, order: 'newest', limit: COPIES_AT_MOST } as const;
  const { items } = await catalog.list(copies).catch(() => ({ items: [] }));
  const candidates = items.filter(
    (record) =>
      record.uploadedBy === uploadedBy && (record.status === 'saving' || record.status === 'verified'),
  );
  const signal = AbortSignal.timeout(CONFIRM_WITHIN_MS);
  for (const record of candidates.slice(0, LOOK_AT_MOST)) {
    const { publicId, resourceType } = record;
    const asset = await host.find({ publicId, resourceType }, signal).catch(() => null);
    if (asset?.bytes === file.bytes && asset.etag === file.md5) return record;
  }
  return null;
}

/** Answers with the existing record: removes the new copy, and the key remembers that answer. */
export async function replaceByDuplicate(
  { claims, undoing, log }: Pick<Uploads, 'claims' | 'undoing' | 'log'>,
  copy: Undo,
  { id }: MediaRecord,
  fingerprint: string,
): Promise<void> {
  await undoing.undo(copy);
  if (!copy.claim) return;
  // A key that could not remember it finds the same duplicate again.
  await claims
    .finish(copy.claim.held, { id, fingerprint, duplicate: true })
    .catch((error: unknown) => log.warn('upload.duplicate_not_remembered', { id, error }));
}
