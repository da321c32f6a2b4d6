import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { Readable, type Writable } from 'node:stream';
import { callbackify } from 'node:util';
import type { Request, Response } from 'express';
import multer, { MulterError, type StorageEngine } from 'multer';
import { HoldfastError, type ErrorCode } from '@holdfast/foundation/errors';
import { isAllowedType, type EditableFields } from '@holdfast/shared/media';
import type { PutResult } from '@holdfast/shared/media-host';
import { fileKindOf, SNIFF_BYTES, unsupportedType, type FileKind } from './file-kind.js';

// The number of files is not limited: browsers send an empty one for each file input that was left empty. `single` refuses a
// second one that is not empty.
const limits = {
  fields: 100,
  parts: 102,
  // Parts with other names are ignored. Forms of other programs nest them, and give them long names.
  fieldNameSize: 500,
  fieldSize: 64_000,
  headerPairs: 20,
  fieldNestingDepth: 20,
  fieldArrayIndexLimit: 50,
};

/** multer keeps the text parts of a form in memory until the form ends. */
const MAX_TEXT_LENGTH = 256 * 1024;

const codeOf: Partial<Record<string, ErrorCode>> = {
  LIMIT_UNEXPECTED_FILE: 'FILE_MISSING',
  LIMIT_FIELD_VALUE: 'INVALID_REQUEST',
  LIMIT_FIELD_COUNT: 'INVALID_REQUEST',
  LIMIT_PART_COUNT: 'INVALID_REQUEST',
};

/**
 * Reads a multipart form with one part `file`, handing its bytes and the name that the client gave it to `receive` as they come.
 * Rejects as soon as something is wrong, while the rest of the body is still unread: MALFORMED_BODY, FILE_MISSING, TOO_MANY_FILES,
 * INVALID_REQUEST, CLIENT_ABORTED, or the error of `receive`.
 */
export function parseForm<T>(
  req: Request,
  res: Response,
  receive: (stream: Readable, filename: string) => Promise<T>,
): Promise<{ fields: Record<string, unknown>; file: T }> {
  return new Promise((resolve, reject) => {
    let received: { file: T } | undefined;
    let begun = false;
    const fail = (error: unknown): void =>
      reject(error instanceof HoldfastError ? error : unreadable(req, error, begun));
    // It stores nothing: `receive` consumes the bytes, and its caller undoes what a failure leaves.
    const storage: StorageEngine = {
      _handleFile: callbackify(async (_req: Request, { stream, originalname }: Express.Multer.File) => {
        begun = true;
        try {
          received = { file: await receive(stream, originalname) };
        } catch (error) {
          // multer itself reports it only at the end of the body.
          fail(error);
          throw error;
        }
        return {};
      }),
      _removeFile: (_req, _file, callback) => callback(null),
    };
    const options: FormOptions = {
      storage,
      limits,
      defParamCharset: 'utf8',
      streamHandler: (_req, parser) => {
        rejectLosses(parser, reject);
        req.pipe(parser);
      },
    };
    multer(options).single('file')(req, res, (error?: unknown) => {
      if (error !== undefined && error !== null) return fail(error);
      if (received === undefined)
        return fail(
          new HoldfastError('FILE_MISSING', 'the form needs one part named "file" with a file name'),
        );
      // The text parts, whether they came before or after the file: texts, or lists where a name was repeated.
      resolve({ fields: { ...(req.body as Record<string, unknown> | undefined) }, file: received.file });
    });
  });
}

/** multer has the option, its types do not. */
type FormOptions = multer.Options & { streamHandler: (req: Request, parser: Writable & PartEvents) => void };

/** Events of busboy, the parser below multer. */
interface PartEvents {
  on(event: 'file', listener: (name: string, stream: Readable, info: { filename?: string }) => void): unknown;
  on(event: 'field', listener: (name: string, value: string | undefined) => void): unknown;
}

/**
 * Rejects what multer would drop or replace in silence: the bytes of a file part without a name, text in an unsupported
 * charset, text that is not in UTF-8. Where bytes are not text the decoder puts U+FFFD, so a part that contains that
 * character is refused. A file name may contain it: it is only a label.
 */
function rejectLosses(parser: PartEvents, reject: (error: HoldfastError) => void): void {
  const refuse = (path: string, message: string): void =>
    reject(
      new HoldfastError('INVALID_REQUEST', 'the text parts are not valid', { errors: [{ path, message }] }),
    );
  let textLength = 0;
  parser.on('file', (name, stream, { filename = '' }) => {
    if (filename !== '') return;
    const detail = `the part ${JSON.stringify(name)} is a file without a file name`;
    // Browsers send an empty one for a file input that was left empty.
    stream.once('data', () => reject(new HoldfastError('FILE_MISSING', detail)));
  });
  parser.on('field', (name, value) => {
    textLength += value?.length ?? 0;
    if (textLength > MAX_TEXT_LENGTH) refuse(name, 'makes the text parts together too large');
    if (value === undefined) refuse(name, 'is in an unsupported charset');
    else if (value.includes('\ufffd')) refuse(name, 'must be in UTF-8, without U+FFFD');
  });
}

function unreadable(req: IncomingMessage, error: unknown, begun: boolean): HoldfastError {
  if (req.destroyed && !req.complete) return new HoldfastError('CLIENT_ABORTED', undefined, { cause: error });
  if (error instanceof MulterError) {
    const second = begun && error.code === 'LIMIT_UNEXPECTED_FILE';
    const code = second ? 'TOO_MANY_FILES' : (codeOf[error.code] ?? 'MALFORMED_BODY');
    const name = error.field === undefined ? '' : JSON.stringify(error.field.slice(0, 100));
    if (code === 'FILE_MISSING')
      return new HoldfastError(code, `the file was sent as ${name}: name that part "file"`, { cause: error });
    const where = name === '' ? '' : ` (${name})`;
    return new HoldfastError(code, `${error.message}${where}`, { cause: error });
  }
  return new HoldfastError('MALFORMED_BODY', undefined, { cause: error });
}

export interface FileDigest {
  bytes: number;
  sha256: string;
  md5: string;
}

/** Bodies up to this size are read whole, hashed and checked before the host sees a byte. */
export const SMALL_BODY_BYTES = 256 * 1024;

export interface ReceivedFile extends FileDigest {
  kind: FileKind;
  /** A small body still waits to be sent, in the chunks it came in, tiny ones joined; a large one is on the host already, not yet committed. */
  body: { small: readonly Buffer[] } | { stored: PutResult };
}

export interface ReceiveOptions {
  maxBytes: number;
  allowedTypes: readonly string[];
  /** Called once for a large body, with the first bytes known; sends it to the host. */
  transfer: (kind: FileKind, body: Readable) => Promise<PutResult>;
}

/**
 * Reads one file: decides its kind from the first bytes, hashes and counts, and passes a large one on to the host as it
 * comes, so that memory does not grow with the file. Throws UNSUPPORTED_TYPE, FILE_TOO_LARGE, FILE_EMPTY, the error of
 * the source, or the error of the transfer. The source is destroyed in every outcome but success.
 */
export async function receiveFile(
  source: Readable,
  { maxBytes, allowedTypes, transfer }: ReceiveOptions,
): Promise<ReceivedFile> {
  const tally = createTally(maxBytes);
  const chunks = source[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  const head: Buffer[] = [];
  let kind: FileKind | undefined;
  let sourceError: unknown;
  /** Null at the end. */
  const read = async (): Promise<Buffer | null> => {
    try {
      const next = await chunks.next();
      if (next.done === true) return null;
      tally.add(next.value);
      return next.value;
    } catch (error) {
      sourceError = error;
      throw error;
    }
  };
  async function* everything(): AsyncGenerator<Buffer, void, undefined> {
    yield* head.splice(0);
    for (let chunk = await read(); chunk !== null; chunk = await read()) yield chunk;
  }
  try {
    while (tally.bytes() <= SMALL_BODY_BYTES) {
      const chunk = await read();
      if (chunk === null) {
        if (tally.bytes() === 0) throw new HoldfastError('FILE_EMPTY');
        kind ??= await acceptedKindOf(head, allowedTypes);
        return { kind, ...tally.result(), body: { small: head } };
      }
      appendChunk(head, chunk);
      if (tally.bytes() >= SNIFF_BYTES) kind ??= await acceptedKindOf(head, allowedTypes);
    }
    kind ??= await acceptedKindOf(head, allowedTypes);
    // One chunk of a socket: a stream that buffers several copies them into one when it is iterated.
    const body = Readable.from(everything(), { objectMode: false, highWaterMark: 64 * 1024 });
    return { kind, body: { stored: await transfer(kind, body) }, ...tally.result() };
  } catch (error) {
    source.destroy();
    // The transfer fails as well where the source does.
    throw sourceError ?? error;
  }
}

async function acceptedKindOf(chunks: readonly Buffer[], allowed: readonly string[]): Promise<FileKind> {
  const [first = Buffer.alloc(0)] = chunks;
  // Copied only where the first chunk is too short: each large buffer costs the collector dear.
  const kind = await fileKindOf(first.length >= SNIFF_BYTES ? first : Buffer.concat(chunks));
  if (!isAllowedType(kind.mime, allowed)) throw unsupportedType(kind.mime, allowed);
  return kind;
}

/** Counts and hashes what passes; throws FILE_TOO_LARGE on the first byte too many. */
function createTally(maxBytes: number) {
  const sha256 = createHash('sha256');
  const md5 = createHash('md5');
  let bytes = 0;
  return {
    bytes: () => bytes,
    add: (chunk: Buffer): void => {
      bytes += chunk.length;
      if (bytes > maxBytes)
        throw new HoldfastError('FILE_TOO_LARGE', `the file is larger than ${String(maxBytes)} bytes`);
      sha256.update(chunk);
      md5.update(chunk);
    },
    result: (): FileDigest => ({ bytes, sha256: sha256.digest('hex'), md5: md5.digest('hex') }),
  };
}

const JOINED_BYTES = 1_024;

/** Adds to the chunks of a body that are held. Small ones are joined: a client may send single bytes, each an object of a hundred. */
function appendChunk(chunks: Buffer[], chunk: Buffer): void {
  const last = chunks.at(-1);
  if (last !== undefined && last.length + chunk.length <= JOINED_BYTES)
    chunks[chunks.length - 1] = Buffer.concat([last, chunk]);
  else chunks.push(chunk);
}

/** Reads a file to its end and keeps nothing of it. Throws FILE_TOO_LARGE or the error of the source. */
export async function digestFile(source: Readable, maxBytes: number): Promise<FileDigest> {
  const tally = createTally(maxBytes);
  for await (const chunk of source) tally.add(chunk as Buffer);
  return tally.result();
}

const SHA256_MEMBER = /(?:^|,)\s*sha-256\s*=\s*:([A-Za-z0-9+/=]*):\s*(?:;[^,]*)?(?=,|$)/g;

/**
 * The SHA-256 that a client declares with `Repr-Digest` (RFC 9530), in hex; null without the header or with other
 * algorithms only. Throws INVALID_REQUEST for a value that cannot be a SHA-256.
 */
export function readReprDigest(header: string | undefined): string | null {
  if (header === undefined) return null;
  // Of a name that comes twice the last one counts (RFC 8941, 3.2).
  const member = [...header.matchAll(SHA256_MEMBER)].at(-1)?.[1];
  if (member === undefined) {
    if (!/sha-256/i.test(header)) return null;
    throw invalid();
  }
  const digest = Buffer.from(member, 'base64');
  if (digest.length !== 32 || digest.toString('base64') !== member) throw invalid();
  return digest.toString('hex');
}

function invalid(): HoldfastError {
  return new HoldfastError('INVALID_REQUEST', 'the digest cannot be read', {
    errors: [{ path: 'Repr-Digest', message: 'must look like sha-256=:<base64 of 32 bytes>:' }],
  });
}

/** What of an upload its client may not change when it sends it again. */
interface SentUpload extends Omit<FileDigest, 'md5'> {
  filename: string;
  fields: EditableFields;
}

/**
 * Fingerprint of an upload, 32 hex digits: the same for the same method, path, query, fields, file name and bytes, however
 * the form was put together.
 */
export function requestFingerprint(
  { method, originalUrl }: Pick<Request, 'method' | 'originalUrl'>,
  { fields, filename, bytes, sha256 }: SentUpload,
): string {
  const [path = '', query = ''] = originalUrl.split('?', 2);
  const sorted = [...new URLSearchParams(query)].map(([name, value]) => `${name}=${value}`).toSorted();
  const { title, description, category, tags, ...others } = fields;
  // Fingerprints are stored for a day: a field that is added here must leave those of requests without it as they are.
  others satisfies Record<PropertyKey, never>;
  const parts = [method, path, sorted, [title, description, category, tags], filename, bytes, sha256];
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 32);
}
