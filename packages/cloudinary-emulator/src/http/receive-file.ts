import { createHash, type Hash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { ApiError } from '../api-error.js';
import { waitMs } from '../wait-ms.js';
import { fileKind } from '../media/file-kind.js';
import type { BlobWriter } from '../blobs/blob-store.js';

/** A file that arrived whole; its bytes are with the writer that was given. */
export interface ReceivedFile {
  bytes: number;
  /** Hex. */
  md5: string;
  /** The first bytes, up to a quarter of a megabyte: enough to tell kind and dimensions. */
  head: Buffer;
  filename: string;
}

/** A file that came with a call; the handler must finish or abort its writer. */
export interface UploadedFile extends ReceivedFile {
  writer: BlobWriter;
  /** Of a part: of the whole file up to its end, where that is known. */
  hash?: Hash;
}

/** Where the bytes of a file go. */
export interface OpenFile {
  writer: BlobWriter;
  /** Has taken what comes before them; of a part that is next in line. */
  hash?: Hash;
}

/** How a fault slows or breaks the reading of a file. */
export interface ReadingPace {
  bytesPerSecond?: number;
  /** Called once this many bytes have been read. */
  breakAfterBytes?: number;
  onBreak?: () => void;
  /** Flips the first byte before it is hashed and stored. */
  corrupt?: boolean;
}

const HEAD_BYTES = 256 * 1024;
const SNIFF_BYTES = 4096;

/**
 * Reads a file once: counts, hashes and hands on in the same pass. Beyond `keepBytes` nothing is kept any
 * more, so that an oversized file costs no memory. Rejects when the stream breaks, and with 413 past
 * `maxBytes`.
 */
export async function receiveFile(
  stream: Readable,
  filename: string,
  { writer, hash = createHash('md5') }: OpenFile,
  options: { keepBytes: number; maxBytes: number; pace: ReadingPace },
): Promise<ReceivedFile> {
  const head: Buffer[] = [];
  let headBytes = 0;
  let headWanted = SNIFF_BYTES;
  let bytes = 0;
  const { pace } = options;

  const take = (received: Buffer): Promise<void> | null => {
    const chunk = pace.corrupt === true && bytes === 0 ? flipFirstByte(received) : received;
    bytes += chunk.length;
    hash.update(chunk);
    if (headBytes < headWanted) {
      // Only images need more than the sniffed bytes: dimensions may stand far behind embedded metadata.
      if (headBytes === 0 && fileKind(chunk)?.family === 'image') headWanted = HEAD_BYTES;
      head.push(chunk);
      headBytes += chunk.length;
    }
    return bytes > options.keepBytes ? null : writer.write(chunk);
  };

  await new Promise<void>((resolve, reject) => {
    const pauseFor = (ready: Promise<void>) => {
      stream.pause();
      ready.then(() => stream.resume(), reject);
    };
    stream.on('data', (chunk: Buffer) => {
      const ready = take(chunk);
      if (pace.breakAfterBytes !== undefined && bytes >= pace.breakAfterBytes) {
        // Rejected here, since the rest of the file may have arrived already.
        reject(new Error('Broken on purpose'));
        pace.onBreak?.();
      }
      if (bytes > options.maxBytes) reject(new ApiError(413, 'Request Entity Too Large'));
      if (pace.bytesPerSecond !== undefined) {
        const slow = waitMs((chunk.length / pace.bytesPerSecond) * 1000);
        pauseFor(Promise.all([ready, slow]).then(() => undefined));
      } else if (ready !== null) pauseFor(ready);
    });
    stream.once('end', resolve);
    stream.once('error', reject);
    stream.once('close', () => reject(new Error('The file ended early')));
  });

  return { bytes, md5: hash.copy().digest('hex'), head: Buffer.concat(head), filename };
}

function flipFirstByte(chunk: Buffer): Buffer {
  const copy = Buffer.from(chunk);
  copy[0] = (copy[0] ?? 0) ^ 0xff;
  return copy;
}
