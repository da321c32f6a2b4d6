import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { createGunzip, createGzip } from 'node:zlib';

/** One part as it goes to the host: whole lines, compressed with gzip. */
export interface SnapshotPart {
  /** Compressed. */
  body: Buffer;
  /** Hex, of the body. */
  sha256: string;
}

/** A part ends within about so many bytes of its limit: what is compressed between two looks at its size. */
const LOOK_EVERY_CHARS = 64 * 1024;
const GZIP_LEVEL = 4;

/**
 * Compresses lines into parts, each readable on its own, that end once they reach `partBytes`. At most one part is in
 * memory. No lines, no part.
 */
export async function* writeParts(
  chunks: AsyncIterable<readonly string[]>,
  partBytes: number,
): AsyncGenerator<SnapshotPart> {
  let part: OpenPart | null = null;
  let text = '';
  for await (const lines of chunks) {
    for (const line of lines) {
      text += `${line}\n`;
      if (text.length < LOOK_EVERY_CHARS) continue;
      part ??= openPart();
      await part.write(text);
      text = '';
      if (part.bytes() < partBytes) continue;
      yield await part.end();
      part = null;
    }
  }
  if (text !== '') {
    part ??= openPart();
    await part.write(text);
  }
  if (part !== null) yield await part.end();
}

interface OpenPart {
  write(text: string): Promise<void>;
  /** Compressed so far. */
  bytes(): number;
  end(): Promise<SnapshotPart>;
}

function openPart(): OpenPart {
  const gzip = createGzip({ level: GZIP_LEVEL });
  const chunks: Buffer[] = [];
  let bytes = 0;
  gzip.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    bytes += chunk.length;
  });
  return {
    write: (text) =>
      new Promise((resolve, reject) => {
        gzip.write(text, (error) => (error ? reject(error) : resolve()));
      }),
    bytes: () => bytes,
    end: async () => {
      const ended = once(gzip, 'end');
      gzip.end();
      await ended;
      const body = Buffer.concat(chunks);
      return { body, sha256: sha256Of(body) };
    },
  };
}

export function sha256Of(body: Buffer): string {
  return createHash('sha256').update(body).digest('hex');
}

/** The lines of a part, `atMost` at once. Rejects where it is not the whole of a compressed part. */
export async function* readLines(body: Buffer, atMost: number): AsyncGenerator<string[]> {
  const gunzip = createGunzip();
  const source = Readable.from([body]);
  source.on('error', (error) => gunzip.destroy(error));
  const decoder = new StringDecoder();
  let rest = '';
  let batch: string[] = [];
  try {
    for await (const chunk of source.pipe(gunzip)) {
      const lines = (rest + decoder.write(chunk as Buffer)).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        batch.push(line);
        if (batch.length < atMost) continue;
        yield batch;
        batch = [];
      }
    }
    if (rest !== '') throw new Error('the last line of the part is not complete');
    if (batch.length > 0) yield batch;
  } finally {
    gunzip.destroy();
  }
}
