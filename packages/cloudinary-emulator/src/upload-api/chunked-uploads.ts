import { createHash, type Hash } from 'node:crypto';
import { ApiError } from '../api-error.js';
import type { BlobStore, BlobWriter } from '../blobs/blob-store.js';
import type { OpenFile, ReceivedFile, UploadedFile } from '../http/receive-file.js';
import { memoryBlobs } from '../blobs/memory-blobs.js';

/** A part's place in its file; `total` is null while the client says -1. */
export interface ContentRange {
  start: number;
  end: number;
  total: number | null;
}

/** Files that arrive in parts, each in a request of its own. */
export interface ChunkedUploads {
  /** Throws the API's 400 when this part must not come now; to be asked before its bytes are read. */
  check(uploadId: string, range: ContentRange): void;
  /** Where the bytes of one part wait until `add` takes them. */
  openPart(uploadId: string, range: ContentRange): OpenFile;
  /** Takes one part, written to a writer of `openPart`. The whole file once it was the last one, else null. */
  add(uploadId: string, range: ContentRange, part: UploadedFile): Promise<UploadedFile | null>;
  /** Files begun and not finished. */
  open(): number;
}

interface OpenUpload {
  hash: Hash;
  writer: BlobWriter;
  head: Buffer;
  filename: string;
  /** Bytes that are hashed and written, always a prefix of the file. */
  contiguous: number;
  /** Parts that came ahead of their turn, by their start. */
  ahead: Map<number, Waiting>;
  /** Ends by start of all parts that came, to recognise a repeated one. */
  received: Map<number, number>;
}

interface Waiting {
  length: number;
  /** Null where none are kept and `hash` is there. */
  bytes: Buffer | null;
  /** Of the whole file up to its end, of a part that came in its turn. */
  hash: Hash | undefined;
}

const MIN_PART_BYTES = 5 * 1024 * 1024;
const MAX_REMEMBERED = 10_000;

/** Reads `bytes 0-9/-1`; null when there is no such header. Throws 400 for anything else. */
export function contentRange(header: string | undefined): ContentRange | null {
  if (header === undefined) return null;
  const [, start, end, total] = /^bytes (\d+)-(-?\d+)\/(-?\d+)$/.exec(header) ?? [];
  if (start === undefined || end === undefined || total === undefined) {
    throw new ApiError(400, `Invalid Content-Range - ${header}`);
  }
  return { start: Number(start), end: Number(end), total: Number(total) < 0 ? null : Number(total) };
}

/** Whether the part closes its file. */
function isLastPart(range: ContentRange): boolean {
  return range.total !== null && range.end + 1 >= range.total;
}

export function chunkedUploads(blobs: Pick<BlobStore, 'keeps' | 'open'>): ChunkedUploads {
  const waiting = memoryBlobs();
  const uploads = new Map<string, OpenUpload>();
  const finished = new Set<string>();

  const check = (uploadId: string, range: ContentRange) => {
    const bytes = range.end - range.start + 1;
    if (uploadId === '') throw new ApiError(400, 'Missing X-Unique-Upload-Id');
    if (finished.has(uploadId)) throw new ApiError(400, `Upload ${uploadId} is already finished`);
    if (!isLastPart(range) && bytes < MIN_PART_BYTES) {
      throw new ApiError(400, 'All parts except EOF-chunk must be larger than 5mb');
    }
    const upload = uploads.get(uploadId);
    if (upload === undefined && range.start !== 0) {
      throw new ApiError(400, `Unknown upload id ${uploadId}: the first part must come first`);
    }
    if (upload !== undefined && isLastPart(range) && receivedBytes(upload) < range.start) {
      throw new ApiError(400, 'The last part must come after all others');
    }
  };

  const begin = (uploadId: string, part: ReceivedFile): OpenUpload => {
    const upload: OpenUpload = {
      hash: createHash('md5'),
      writer: blobs.open(),
      head: part.head,
      filename: part.filename,
      contiguous: 0,
      ahead: new Map(),
      received: new Map(),
    };
    uploads.set(uploadId, upload);
    return upload;
  };

  return {
    check,
    open: () => uploads.size,
    openPart: (uploadId, { start }) => {
      const upload = uploads.get(uploadId);
      if (start !== (upload?.contiguous ?? 0)) return { writer: waiting.open() };
      const writer = (blobs.keeps ? waiting : blobs).open();
      return { writer, hash: upload?.hash.copy() ?? createHash('md5') };
    },
    async add(uploadId, range, part) {
      const bytes = range.end - range.start + 1;
      if (part.bytes !== bytes) {
        throw new ApiError(400, `Content-Range promised ${bytes} bytes, got ${part.bytes}`);
      }
      check(uploadId, range);
      const upload = uploads.get(uploadId) ?? begin(uploadId, part);
      if (upload.received.get(range.start) !== range.end) {
        if (range.start < upload.contiguous) throw new ApiError(400, 'Parts overlap');
        upload.received.set(range.start, range.end);
        const key = `${uploadId}:${range.start}`;
        await part.writer.finish(key);
        upload.ahead.set(range.start, {
          length: bytes,
          bytes: await waiting.read(key),
          hash: part.hash,
        });
        await waiting.remove(key);
        await writeContiguous(upload);
      }
      if (!isLastPart(range)) return null;
      uploads.delete(uploadId);
      finished.add(uploadId);
      if (finished.size > MAX_REMEMBERED) finished.delete(finished.values().next().value as string);
      return {
        bytes: upload.contiguous,
        md5: upload.hash.digest('hex'),
        head: upload.head,
        filename: upload.filename,
        writer: upload.writer,
      };
    },
  };
}

function receivedBytes(upload: OpenUpload): number {
  let bytes = 0;
  for (const [start, end] of upload.received) bytes += end - start + 1;
  return bytes;
}

/** Hashes and writes what is next in line. Parts are claimed before waiting, so that two calls never take one. */
async function writeContiguous(upload: OpenUpload): Promise<void> {
  for (;;) {
    const next = upload.ahead.get(upload.contiguous);
    if (next === undefined) return;
    upload.ahead.delete(upload.contiguous);
    upload.contiguous += next.length;
    // Hashed already as it came, unless other parts came first.
    if (next.hash !== undefined) upload.hash = next.hash;
    else if (next.bytes !== null) upload.hash.update(next.bytes);
    const ready = next.bytes === null ? null : upload.writer.write(next.bytes);
    if (ready !== null) await ready;
  }
}
