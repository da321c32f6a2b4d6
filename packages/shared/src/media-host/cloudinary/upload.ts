import { randomBytes } from 'node:crypto';
import { pipeline, type Readable, type Writable } from 'node:stream';
import { HoldfastError } from '@holdfast/foundation/errors';
import { SLOWEST_BYTES_PER_SECOND } from '../../media/index.js';
import { bodyChunks, bytesInMemory, isStream, toSourceError, type Body } from '../body.js';
import type { PutRequest } from '../media-host.js';
import type { Placement, PlacementOptions } from './placement.js';
import type { Connection, HostTimeouts } from './sdk.js';
import { encodeContext } from './signing.js';

/** How bodies are cut that are too large for one request. */
export interface PartSizes {
  /** Larger bodies go up in parts. */
  above: number;
  /** Of all parts but the last ones. */
  bytes: number;
}

/** Cloudinary's limit for one request. */
const MAX_REQUEST_BYTES = 100_000_000;
/** Nothing flows while the host answers a part, so there are as few as the limit allows, with room for the form around them. */
const PART_BYTES = 90_000_000;
const usualParts: PartSizes = { above: MAX_REQUEST_BYTES, bytes: PART_BYTES };
/** Cloudinary refuses smaller parts, unless they are the last. */
const LEAST_PART_BYTES = 5 * 1024 * 1024;
/** The length of a form is known, that of the file in it is not: all that comes with a file takes less than this. */
const FORM_BYTES = 4_000_000;

/** Sends a body in one request, or in parts when it is too large for one; gives the SDK's last reply. */
export function createUpload(
  connection: Connection,
  place: Placement['place'],
  parts = usualParts,
): (request: PutRequest) => Promise<unknown> {
  const { timeouts } = connection;
  return ({ ref, body, metadata, contentLength, signal }) => {
    const size = bytesInMemory(body) ?? contentLength ?? MAX_REQUEST_BYTES;
    const isLarge = size > parts.above;
    const { displayName } = metadata;
    const isOnce = isLarge || isStream(body);
    // The name of what can be sent only once comes with its commit mark: it might be refused.
    const wanted: PlacementOptions =
      displayName === undefined
        ? {}
        : { asset_folder: connection.settings.folder, ...(isOnce ? {} : { display_name: displayName }) };
    const put = (placement: PlacementOptions): Promise<unknown> => {
      const send: SendContent = (content, range = {}) =>
        uploadOnce(
          connection,
          {
            resource_type: ref.resourceType,
            type: 'upload',
            public_id: ref.publicId,
            context: encodeContext(metadata.context),
            ...(metadata.tags.length === 0 ? {} : { tags: metadata.tags.join(',') }),
            ...placement,
            ...range,
          },
          content,
          // The last part is answered once the host has worked on the whole file.
          { bytes: size, signal },
        );
      if (!isLarge) return send(Buffer.isBuffer(body) ? [body] : body);
      const idleMs = uploadIdleMs(timeouts, size);
      return uploadInParts(body, { size, partBytes: parts.bytes, signal, idleMs }, send);
    };
    return place(wanted, put, !isOnce);
  };
}

/** Chunks in memory; a stream, which is destroyed in every outcome; or chunks as they come. */
type Content = readonly Buffer[] | Readable | AsyncIterable<Buffer>;
type SendContent = (content: Content, range?: Readonly<Record<string, string>>) => Promise<unknown>;

interface PartLimits {
  /** Of the body, which may be up to FORM_BYTES shorter when it is a stream. */
  size: number;
  partBytes: number;
  signal: AbortSignal;
  idleMs: number;
}

/**
 * Sends a body in parts, one after the other, and gives the reply to the last. A request states its range before its bytes, so
 * parts are streamed as long as they are sure to be filled. What may be the last part is collected first: at most FORM_BYTES and
 * LEAST_PART_BYTES are held. Throws MALFORMED_BODY for a body that ends before.
 */
async function uploadInParts(body: Body, limits: PartLimits, send: SendContent): Promise<unknown> {
  const { size, partBytes } = limits;
  const uploadId = `holdfast-${randomBytes(16).toString('hex')}`;
  const read = readPieces(bodyChunks(body, limits));
  const sendRange = (content: Content, start: number, bytes: number, isLast: boolean) => {
    const [end, total] = [start + bytes, isLast ? start + bytes : -1];
    const range = `bytes ${String(start)}-${String(end - 1)}/${String(total)}`;
    return send(content, { content_range: range, x_unique_upload_id: uploadId });
  };
  try {
    let start = 0;
    for (;;) {
      const left = size - start;
      const bytes = isStream(body) ? Math.min(partBytes, left - FORM_BYTES) : partBytes;
      if (bytes < LEAST_PART_BYTES || bytes >= left) break;
      await sendRange(read(bytes, true), start, bytes, false);
      start += bytes;
    }
    const rest: Buffer[] = [];
    for await (const piece of read(size - start, false)) rest.push(piece);
    return await sendRange(rest, start, bytesInMemory(rest) ?? 0, true);
  } finally {
    if (isStream(body)) body.destroy();
  }
}

/**
 * Reads a body in pieces that end where they are asked to, whatever its chunks are. A `whole` piece throws MALFORMED_BODY when the
 * body ends within it; another one ends with the body.
 */
function readPieces(
  chunks: AsyncGenerator<Buffer, void, undefined>,
): (bytes: number, whole: boolean) => AsyncGenerator<Buffer, void, undefined> {
  let rest: Buffer = Buffer.alloc(0);
  return async function* (bytes, whole) {
    for (let left = bytes; left > 0;) {
      if (rest.length === 0) {
        const next = await chunks.next();
        if (next.done === true) {
          if (!whole) return;
          throw new HoldfastError('MALFORMED_BODY', 'the body ended long before its announced length');
        }
        rest = next.value;
      }
      const piece = rest.subarray(0, left);
      rest = rest.subarray(piece.length);
      left -= piece.length;
      yield piece;
    }
  };
}

/**
 * One upload request, of a file of so many bytes or of a part of it. With a fixed public id, a repeated upload finds the first one instead
 * of replacing it. The SDK alone may call back twice, never, or throw; here it settles exactly once, and only the SDK's callback means success.
 */
export async function uploadOnce(
  { sdk, timeouts, upload }: Connection,
  options: Readonly<Record<string, unknown>>,
  content: Content,
  { bytes, signal }: { bytes: number; signal: AbortSignal | undefined },
): Promise<unknown> {
  const idleMs = uploadIdleMs(timeouts, bytes);
  const deadlineMs = 2 * idleMs + Math.round((bytes / SLOWEST_BYTES_PER_SECOND) * 1_000);
  let sink: Writable | undefined;
  try {
    return await upload(
      { deadlineMs, idleMs, signal },
      (call) =>
        new Promise((resolve, reject) => {
          const settled = (error: unknown, reply?: unknown): void =>
            // oxlint-disable-next-line typescript/prefer-promise-reject-errors -- converted once, by the connection
            error === undefined || error === null ? resolve(reply) : reject(error);
          // The file name is written unescaped into a header; the real one travels in the context.
          const fixed = { overwrite: false, filename: 'file', disable_promises: true };
          sink = sdk.uploader.upload_stream({ ...call, ...options, ...fixed }, settled);
          write(content, sink, reject);
        }),
      // An early reply leaves sink, source and socket open.
      () => sink?.writableFinished === true,
    );
  } catch (error) {
    sink?.destroy();
    throw error;
  } finally {
    if ('destroy' in content) content.destroy();
  }
}

function write(content: Content, sink: Writable, fail: (error: Error) => void): void {
  if (Array.isArray(content)) {
    for (const chunk of content.slice(0, -1)) sink.write(chunk);
    sink.end(content.at(-1));
    return;
  }
  pipeline(content as Readable | AsyncIterable<Buffer>, sink, (error) => {
    if (error) fail(toSourceError(error));
  });
}

const MAX_EXTRA_IDLE_MS = 150_000;

function uploadIdleMs(timeouts: HostTimeouts, bytes: number): number {
  return timeouts.uploadIdleMs + Math.min(Math.round(bytes / 1_000), MAX_EXTRA_IDLE_MS);
}
