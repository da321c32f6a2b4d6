import { createHash } from 'node:crypto';
import { newMediaId, type HostMetadata, type ResourceType } from '../../media/index.js';
import { onePixelPng } from '../../testing/index.js';
import type { AssetRef, HostAsset, MediaHost, PutRequest } from '../media-host.js';

/** A host that is fresh for one test and closed after it. */
interface HostUnderTest {
  host: MediaHost;
  /** What the host serves under the asset's URL. */
  bytesOf: (asset: HostAsset) => Promise<Buffer>;
  /** Whatever an upload holds while it runs: temporary files, busy connections. */
  leftovers: () => Promise<readonly string[]>;
}

/** Cleans up after itself with onTestFinished. */
export type SetUpHost = () => Promise<HostUnderTest>;

export const neverAborted: AbortSignal = new AbortController().signal;
export const plainMetadata: HostMetadata = { context: { hf: '1', title: 'A' }, tags: ['sea'] };

export function newRef(resourceType: ResourceType = 'image', extension = ''): AssetRef {
  return { publicId: `holdfast/${newMediaId()}${extension}`, resourceType };
}

/** A request that any host accepts. */
export function putRequest(over: Partial<PutRequest> = {}): PutRequest {
  return { ref: newRef(), metadata: plainMetadata, body: onePixelPng, signal: neverAborted, ...over };
}

export function* pieces(bytes: Buffer): Generator<Buffer> {
  for (let start = 0; start < bytes.length; start += 64 * 1024)
    yield bytes.subarray(start, start + 64 * 1024);
}

/** Compared in place of the bytes: equality of large buffers is slow in the test runner. */
export function md5(bytes: Buffer): string {
  return createHash('md5').update(bytes).digest('hex');
}

/** An asset as listings show it: only an answer about a single one tells the display name. */
export function asListed(asset: HostAsset | null) {
  const { displayName: _name, ...listed } = asset ?? {};
  return listed;
}
