import type { ServerResponse } from 'node:http';
import type { Asset, ResourceType } from '../assets/asset.js';
import { assetBytes } from '../edits/asset-bytes.js';
import type { Fault } from '../faults/fault.js';
import { actsAt, misbehave, type Exchange } from '../faults/misbehave.js';
import type { Parts } from '../parts.js';
import type { LoggedRequest } from '../request-log.js';
import { waitMs } from '../wait-ms.js';
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

const NON_PUBLIC = new Set(['private', 'authenticated']);

/**
 * GET of a file under its `secure_url`. Any version in the path gets the current bytes, as on the real host
 * once its caches are cold.
 */
export async function deliverFile(
  segments: string[],
  exchange: Exchange,
  entry: LoggedRequest,
  parts: Pick<Parts, 'account' | 'assets' | 'blobs' | 'faults' | 'settings'>,
): Promise<void> {
  const asset = findDelivered(segments, parts);
  // Their addresses need a signature, which nobody here makes.
  if (asset !== null && NON_PUBLIC.has(asset.type)) return sendHtml(exchange.res, 401, 'Unauthorized');
  if (asset !== null && isBlocked(asset, parts.settings.blockedDelivery)) {
    exchange.res.setHeader('X-Cld-Error', 'deny or ACL failure');
    return sendHtml(exchange.res, 401, 'Unauthorized');
  }
  await deliverAsset({ asset, endpoint: 'deliver', resourceType: segments[1] ?? '' }, exchange, entry, parts);
}

function isBlocked({ format, publicId, resourceType }: Asset, blocked: readonly string[]): boolean {
  // The name of a raw file has its format.
  return [format, publicId.split('.').at(-1), resourceType].some((kind) => blocked.includes(kind ?? ''));
}

export interface Delivery {
  /** Null is answered with 404. */
  asset: Asset | null;
  endpoint: string;
  resourceType: string;
}

/** Sends the bytes of an asset, or does what a fault says. */
export async function deliverAsset(
  { asset, endpoint, resourceType }: Delivery,
  exchange: Exchange,
  entry: LoggedRequest,
  parts: Pick<Parts, 'blobs' | 'faults'>,
): Promise<void> {
  const { res } = exchange;
  const fault = parts.faults.take({ endpoint, publicId: asset?.publicId ?? '', resourceType });
  entry.publicId = asset?.publicId ?? '';
  entry.fault = fault?.kind ?? null;
  if (fault !== null && actsAt(fault, 'before')) return misbehave(fault, exchange, {});
  const bytes = asset === null ? null : await assetBytes(asset, parts.blobs);
  if (asset === null || bytes === null) return sendHtml(res, 404, 'Not Found');
  if (fault?.kind === 'slow-response') await waitMs(fault.ms);
  await sendFile(asset, bytes, res, fault);
}

async function sendFile(
  asset: Asset,
  bytes: Buffer,
  res: ServerResponse,
  fault: Fault | null,
): Promise<void> {
  if (fault?.kind === 'drop-after-success') {
    res.socket?.resetAndDestroy();
    return;
  }
  res.writeHead(200, {
    'Content-Type': contentTypes[asset.format ?? ''] ?? 'application/octet-stream',
    'Content-Length': bytes.length,
    ETag: `"${asset.etag}"`,
  });
  if (fault?.kind === 'cut-response') {
    res.write(bytes.subarray(0, bytes.length / 2), () => res.socket?.resetAndDestroy());
  } else if (fault?.kind === 'slow-body') await sendSlowly(bytes, res, fault.bytesPerSecond);
  else res.end(bytes);
}

const TICKS_A_SECOND = 20;

async function sendSlowly(bytes: Buffer, res: ServerResponse, bytesPerSecond: number): Promise<void> {
  const step = Math.max(1, Math.round(bytesPerSecond / TICKS_A_SECOND));
  for (let sent = 0; sent < bytes.length && !res.destroyed; sent += step) {
    res.write(bytes.subarray(sent, sent + step));
    await waitMs((step / bytesPerSecond) * 1_000);
  }
  res.end();
}

function findDelivered(
  segments: string[],
  { account, assets }: Pick<Parts, 'account' | 'assets'>,
): Asset | null {
  const [cloudName, resourceType, type = '', ...rest] = segments;
  if (cloudName !== account.cloudName) return null;
  const path = (/^v\d+$/.test(rest[0] ?? '') ? rest.slice(1) : rest).join('/');
  const dot = path.lastIndexOf('.');
  const byName = (publicId: string) => assets.get(resourceType as ResourceType, type, publicId);
  const named = byName(path);
  if (named !== undefined) return named;
  const asset = dot < 0 ? undefined : byName(path.slice(0, dot));
  return asset !== undefined && asset.format === path.slice(dot + 1) ? asset : null;
}
