import { randomBytes } from 'node:crypto';
import type { Agent } from 'node:http';
import { pipeline, type Readable, type Writable } from 'node:stream';
import { HoldfastError } from '@holdfast/foundation/errors';
import { abortReason, onAbort } from '@holdfast/foundation/lifecycle';
import { bodyChunks, bytesInMemory, isStream, toSourceError, type Body } from '../body.js';
import type { PutRequest } from '../media-host.js';
import { uploadDeadlineMs, uploadIdleMs, type Connection } from './connection.js';
import type { Placement } from './placement.js';
import { openUpload, type OpenUpload, type PlacementOptions, type UploadOptions } from './sdk.js';
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
/** As the SDK cuts files, unless told otherwise. */
const PART_BYTES = 20_000_000;
const usualParts: PartSizes = { above: MAX_REQUEST_BYTES, bytes: PART_BYTES };
/** Cloudinary refuses smaller parts, unless they are the last. */
const LEAST_PART_BYTES = 5 * 1024 * 1024;
/** The length of a form is known, that of the file in it is not: all that comes with a file takes less than this. */
const FORM_BYTES = 4_000_000;

/** Sends a body in one request, or in parts when it is too large for one; gives the SDK's last reply or its raw error. */
export function createUpload(
  connection: Connection,
  place: Placement['place'],
  parts = usualParts,
): (request: PutRequest) => Promise<unknown> {
  const { access, timeouts } = connection;
  return (request) => {
    const { ref, body, metadata, signal } = request;
    const size = bytesInMemory(body) ?? request.contentLength ?? MAX_REQUEST_BYTES;
    const isLarge = size > parts.above;
    const kind = isLarge || isStream(body) ? 'stream' : 'upload';
    return place({ ref, metadata, kind }, (placement) => {
      const send: SendPart = (content, part) =>
        uploadOnce(connection, {
          optionsFor: (agent) => ({
            // The last part is answered once the host has worked on the whole file.
            ...access(agent, uploadIdleMs(timeouts, size)),
            ...describe(request, placement),
            ...part,
          }),
          body: content,
          signal,
          deadlineMs: uploadDeadlineMs(timeouts, size),
        });
      if (!isLarge) return send(Buffer.isBuffer(body) ? [body] : body, {});
      const idleMs = uploadIdleMs(timeouts, parts.bytes);
      return uploadInParts(body, { size, partBytes: parts.bytes, signal, idleMs }, send);
    });
  };
}

function describe(
  { ref, metadata }: PutRequest,
  placement: PlacementOptions,
): Omit<UploadOptions, keyof ReturnType<Connection['access']>> {
  return {
    resource_type: ref.resourceType,
    type: 'upload',
    public_id: ref.publicId,
    // With a fixed public id, a repeated upload finds the first one instead of replacing it.
    overwrite: false,
    // The name is written unescaped into a header; the real one travels in the context.
    filename: 'file',
    disable_promises: true,
    context: encodeContext(metadata.context),
    ...(metadata.tags.length === 0 ? {} : { tags: metadata.tags.join(',') }),
    ...placement,
  };
}

/** Which part of which file a request carries; empty for a whole file. */
type PartOptions = Pick<UploadOptions, 'content_range' | 'x_unique_upload_id'>;

type Content = readonly Buffer[] | Readable | AsyncIterable<Buffer>;
type SendPart = (content: Content, part: PartOptions) => Promise<unknown>;

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
async function uploadInParts(body: Body, limits: PartLimits, send: SendPart): Promise<unknown> {
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
    const bytes = rest.reduce((sum, { length }) => sum + length, 0);
    return await sendRange(rest, start, bytes, true);
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

interface UploadTask {
  optionsFor: (agent: Agent) => UploadOptions;
  /** Chunks in memory; a stream, which is destroyed in every outcome; or chunks as they come. */
  body: Content;
  signal: AbortSignal;
  /** For the whole request; the idle time is in the options. */
  deadlineMs: number;
}

/**
 * One upload request. The SDK alone may call back twice, never, or throw; here it settles exactly once: with the
 * reply, or with what went wrong. Only the SDK's callback means success. The agent is kept for the next upload
 * unless something of this one may still be on its socket.
 */
export function uploadOnce(
  { sdk, uploads }: Pick<Connection, 'sdk' | 'uploads'>,
  { optionsFor, body, signal, deadlineMs }: UploadTask,
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    let settled = false;
    let upload: OpenUpload | undefined;
    const finish = (error: unknown, reply?: unknown): void => {
      if (settled) return;
      settled = true;
      clearTimeout(timer);
      forgetAbort();
      const sent = upload?.sink.writableFinished === true;
      if ('destroy' in body) body.destroy();
      if (error === undefined && sent) {
        upload?.lease.release();
      } else {
        // An early reply leaves sink, source and socket open.
        upload?.sink.destroy();
        upload?.lease.destroy();
      }
      // oxlint-disable-next-line typescript/prefer-promise-reject-errors -- converted once, by the caller
      if (error !== undefined) reject(error);
      else resolve(reply);
    };
    const timer = setTimeout(() => finish(new HoldfastError('HOST_TIMEOUT')), deadlineMs);
    const forgetAbort = onAbort(signal, finish);
    if (signal.aborted) {
      finish(abortReason(signal));
      return;
    }
    try {
      upload = openUpload(sdk, uploads, optionsFor, (error, reply) => finish(error ?? undefined, reply));
      write(body, upload.sink, finish);
    } catch (error) {
      finish(error);
    }
  });
}

function write(body: Content, sink: Writable, fail: (error: unknown) => void): void {
  if (Array.isArray(body)) {
    for (const chunk of body.slice(0, -1)) sink.write(chunk);
    sink.end(body.at(-1));
    return;
  }
  pipeline(body as Readable | AsyncIterable<Buffer>, sink, (error) => {
    if (error) fail(toSourceError(error));
  });
}
