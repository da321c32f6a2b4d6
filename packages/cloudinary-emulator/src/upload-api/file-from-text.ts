import { createHash } from 'node:crypto';
import { ApiError } from '../api-error.js';
import type { BlobStore } from '../blobs/blob-store.js';
import type { UploadedFile } from '../http/receive-file.js';

const HEAD_BYTES = 256 * 1024;

/** A file given as a data URI or as an address to fetch it from; null for ''. */
export async function fileFromText(
  text: string,
  blobs: Pick<BlobStore, 'open'>,
): Promise<UploadedFile | null> {
  if (text === '') return null;
  const bytes = text.startsWith('data:') ? decodeDataUri(text) : await fetchBytes(text);
  const writer = blobs.open();
  const ready = writer.write(bytes);
  if (ready !== null) await ready;
  return {
    bytes: bytes.length,
    md5: createHash('md5').update(bytes).digest('hex'),
    head: bytes.subarray(0, HEAD_BYTES),
    filename: text.startsWith('data:') ? 'file' : text.slice(text.lastIndexOf('/') + 1),
    writer,
  };
}

function decodeDataUri(text: string): Buffer {
  const [, encoding, data] = /^data:[^,]*?(;base64)?,([\s\S]*)$/.exec(text) ?? [];
  if (data === undefined) throw new ApiError(400, 'Invalid data URI');
  return encoding === undefined ? Buffer.from(decodeURIComponent(data)) : Buffer.from(data, 'base64');
}

async function fetchBytes(address: string): Promise<Buffer> {
  try {
    const response = await fetch(address, { signal: AbortSignal.timeout(30_000) });
    if (response.ok) return Buffer.from(await response.arrayBuffer());
  } catch {
    // Answered below like any other address that gives no file.
  }
  throw new ApiError(400, `Error in loading ${address}`);
}
