import { resourceTypes } from '../../media/index.js';
import type { AssetRef } from '../media-host.js';

const PREFIX = '/media/';

/** `/media/image/holdfast/01K….png`; raw files have their extension in the public id. */
export function assetUrl({ resourceType, publicId, format }: AssetRef & { format: string | null }): string {
  const path = publicId.split('/').map(encodeURIComponent).join('/');
  return `${PREFIX}${resourceType}/${path}${resourceType === 'raw' || format === null ? '' : `.${format}`}`;
}

/** The assets that a path may name: with a format cut off its end, and without. Empty for a path that is none of ours. */
export function refsFromUrl(urlPath: string): { ref: AssetRef; format: string | null }[] {
  if (!urlPath.startsWith(PREFIX)) return [];
  const [type = '', ...segments] = urlPath.slice(PREFIX.length).split('/');
  const resourceType = resourceTypes.find((known) => known === type);
  const publicId = decode(segments.join('/'));
  if (resourceType === undefined || publicId === null || publicId === '') return [];
  const whole = { ref: { resourceType, publicId }, format: null };
  const dot = publicId.lastIndexOf('.');
  if (resourceType === 'raw' || dot <= publicId.lastIndexOf('/') + 1) return [whole];
  const cut = { ref: { resourceType, publicId: publicId.slice(0, dot) }, format: publicId.slice(dot + 1) };
  return [cut, whole];
}

function decode(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}
