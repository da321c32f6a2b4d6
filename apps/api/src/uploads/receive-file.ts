import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { HoldfastError } from '@holdfast/foundation/errors';
import { isAllowedType } from '@holdfast/shared/media';
import type { PutResult } from '@holdfast/shared/media-host';
import { fileKindOf, SNIFF_BYTES, unsupportedType, type FileKind } from './file-kind.js';

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
export async function receiveFile(source: Readable, options: ReceiveOptions): Promise<ReceivedFile> {
  const tally = createTally(options.maxBytes);
  const chunks = source[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  const head: Buffer[] = [];
  let kind: FileKind | undefined;
  const decideKind = async (): Promise<FileKind> => {
    const decided = await fileKindOf(firstBytes(head));
    if (!isAllowedType(decided.mime, options.allowedTypes)) {
      throw unsupportedType(decided.mime, options.allowedTypes);
    }
    return decided;
  };
  try {
    while (tally.bytes() <= SMALL_BODY_BYTES) {
      const next = await chunks.next();
      if (next.done === true) {
        if (tally.bytes() === 0) throw new HoldfastError('FILE_EMPTY');
        kind ??= await decideKind();
        return { kind, ...tally.result(), body: { small: head } };
      }
      tally.add(next.value);
      appendChunk(head, next.value);
      if (kind === undefined && tally.bytes() >= SNIFF_BYTES) kind = await decideKind();
    }
    kind ??= await decideKind();
    const stored = await transferRest(head, chunks, tally, (body) =>
      options.transfer(kind as FileKind, body),
    );
    return { kind, ...tally.result(), body: { stored } };
  } catch (error) {
    source.destroy();
    throw error;
  }
}

/** What decides the kind. Copied only where the first chunk is too short: each large buffer costs the collector dear. */
function firstBytes(chunks: readonly Buffer[]): Buffer {
  const [first = Buffer.alloc(0)] = chunks;
  return first.length >= SNIFF_BYTES ? first : Buffer.concat(chunks);
}

/** Sends what was read and what follows. An error of the source counts for more than what the host makes of it. */
async function transferRest(
  head: Buffer[],
  chunks: AsyncIterator<Buffer>,
  tally: Tally,
  transfer: (body: Readable) => Promise<PutResult>,
): Promise<PutResult> {
  let sourceError: unknown;
  // What is thrown into the generator at a `yield` comes from the transfer, which ends the body when it fails.
  const readNext = async (): Promise<IteratorResult<Buffer>> => {
    try {
      const next = await chunks.next();
      if (next.done !== true) tally.add(next.value);
      return next;
    } catch (error) {
      sourceError = error;
      throw error;
    }
  };
  async function* everything(): AsyncGenerator<Buffer, void, undefined> {
    yield* head.splice(0);
    for (let next = await readNext(); next.done !== true; next = await readNext()) yield next.value;
  }
  try {
    // One chunk of a socket: a stream that buffers several copies them into one when it is iterated.
    return await transfer(Readable.from(everything(), { objectMode: false, highWaterMark: 64 * 1024 }));
  } catch (error) {
    throw sourceError ?? error;
  }
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

type Tally = ReturnType<typeof createTally>;

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
