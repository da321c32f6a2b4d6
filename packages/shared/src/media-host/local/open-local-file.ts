import { extname } from 'node:path';
import type { LocalHostSettings } from '@holdfast/foundation/config';
import { readHostMetadata } from '../../media/index.js';
import { bytesPath, placeOfRef, readStored, refsFromUrl } from './asset-files.js';
import { toDiskError } from './disk.js';

/** A stored file, ready to be served. */
export interface LocalFile {
  /** Absolute. Its content never changes. */
  path: string;
  bytes: number;
  /** MD5 in hex. */
  etag: string;
  /** ISO 8601. */
  uploadedAt: string;
  /** As its uploader called it; may hold any character. */
  filename: string;
  contentType: string;
  disposition: 'inline' | 'attachment';
}

/**
 * The file behind a path of the form `/media/<type>/<public id>[.<format>]`, or null. The path is only ever compared,
 * never opened, so nothing in it can leave the folder. Rejects with HOST_REJECTED when the disk fails.
 */
export async function openLocalFile(
  settings: Pick<LocalHostSettings, 'directory'>,
  urlPath: string,
): Promise<LocalFile | null> {
  try {
    for (const { ref, format } of refsFromUrl(urlPath)) {
      const place = placeOfRef(settings.directory, ref);
      const stored = await readStored(place);
      if (stored === null || (format !== null && format !== stored.asset.format)) continue;
      const { known, asset } = stored;
      const extension = asset.format ?? extname(asset.publicId).slice(1);
      const contentType = shown.get(extension.toLowerCase());
      return {
        path: bytesPath(place, known.token),
        bytes: asset.bytes,
        etag: asset.etag ?? known.etag,
        uploadedAt: known.createdAt,
        filename: readHostMetadata(asset)?.fields.filename ?? asset.publicId.replace(/^.*\//, ''),
        contentType: contentType ?? 'application/octet-stream',
        disposition: contentType === undefined ? 'attachment' : 'inline',
      };
    }
    return null;
  } catch (error) {
    throw toDiskError(error);
  }
}

/** What browsers may show in place: formats that cannot carry a script that runs. Anything else is offered as a download. */
const shown = new Map(
  Object.entries({
    png: 'image/png',
    apng: 'image/apng',
    jpg: 'image/jpeg',
    jpeg: 'image/jpeg',
    gif: 'image/gif',
    webp: 'image/webp',
    avif: 'image/avif',
    heic: 'image/heic',
    heif: 'image/heif',
    bmp: 'image/bmp',
    ico: 'image/x-icon',
    tif: 'image/tiff',
    tiff: 'image/tiff',
    jxl: 'image/jxl',
    pdf: 'application/pdf',
    mp4: 'video/mp4',
    mov: 'video/quicktime',
    webm: 'video/webm',
    mkv: 'video/x-matroska',
    avi: 'video/x-msvideo',
    mp3: 'audio/mpeg',
    m4a: 'audio/mp4',
    aac: 'audio/aac',
    wav: 'audio/wav',
    ogg: 'audio/ogg',
    flac: 'audio/flac',
  }),
);
