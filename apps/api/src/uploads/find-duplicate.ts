import type { Catalog } from '@holdfast/shared/catalog';
import type { MediaRecord } from '@holdfast/shared/media';
import type { MediaHost } from '@holdfast/shared/media-host';
import type { FileDigest } from './receive-file.js';

const CONFIRM_WITHIN_MS = 3_000;
/** One that the host confirms is enough; this many that it does not are looked at. */
const LOOK_AT_MOST = 5;

/**
 * A media with these bytes from the same uploader that the host confirms at this moment, or null, also when nobody can
 * tell: the new copy is then kept.
 */
export async function findDuplicate(
  { catalog, host }: { catalog: Pick<Catalog, 'withSha256'>; host: Pick<MediaHost, 'find'> },
  file: FileDigest,
  uploadedBy: string,
): Promise<MediaRecord | null> {
  const same = await catalog.withSha256(file.sha256).catch(() => []);
  const candidates = same.filter(
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
