import type { ServerResponse } from 'node:http';
import { secureUrl } from '../assets/asset-fields.js';
import type { Asset, ResourceType } from '../assets/asset.js';
import type { Parts } from '../parts.js';
import { assetBytes } from '../edits/asset-bytes.js';
import { sendHtml } from './send.js';

const contentTypes: Record<string, string> = {
  png: 'image/png',
  jpg: 'image/jpeg',
  gif: 'image/gif',
  webp: 'image/webp',
  avif: 'image/avif',
  pdf: 'application/pdf',
  svg: 'image/svg+xml',
  mp4: 'video/mp4',
  webm: 'video/webm',
  mp3: 'audio/mpeg',
  wav: 'audio/wav',
};

/** GET of a file under its `secure_url`; 404 for a wrong version too, so that stale addresses show. */
export async function deliverFile(
  segments: string[],
  res: ServerResponse,
  parts: Pick<Parts, 'account' | 'assets' | 'blobs'>,
): Promise<void> {
  const asset = findDelivered(segments, parts);
  const bytes = asset === null ? null : await assetBytes(asset, parts.blobs);
  if (asset === null || bytes === null) {
    sendHtml(res, 404, 'Not Found');
    return;
  }
  res.writeHead(200, {
    'Content-Type': contentTypes[asset.format ?? ''] ?? 'application/octet-stream',
    'Content-Length': bytes.length,
    ETag: `"${asset.etag}"`,
  });
  res.end(bytes);
}

function findDelivered(
  segments: string[],
  { account, assets }: Pick<Parts, 'account' | 'assets'>,
): Asset | null {
  const [cloudName, resourceType, type = '', version = '', ...rest] = segments;
  if (cloudName !== account.cloudName) return null;
  const path = rest.join('/');
  const withoutExtension = path.slice(0, Math.max(path.lastIndexOf('.'), 0));
  for (const publicId of [path, withoutExtension]) {
    const asset = assets.get(resourceType as ResourceType, type, publicId);
    if (
      asset !== undefined &&
      version === `v${asset.version}` &&
      secureUrl(asset, account).endsWith(encoded(path))
    ) {
      return asset;
    }
  }
  return null;
}

function encoded(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/');
}
