import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import type { PutResult } from '@holdfast/shared/media-host';
import { readReprDigest, receiveFile, SMALL_BODY_BYTES, type ReceiveOptions } from './receive-file.js';

const PNG = Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex');
const pngOf = (bytes: number): Buffer => Buffer.concat([PNG, randomBytes(bytes - PNG.length)]);
const inChunks = (data: Buffer, size = 16_384): Readable =>
  Readable.from(
    Array.from({ length: Math.ceil(data.length / size) }, (_unused, index) =>
      data.subarray(index * size, (index + 1) * size),
    ),
  );
const digestOf = (algorithm: string, data: Buffer): string =>
  createHash(algorithm).update(data).digest('hex');

function receiver(over: Partial<ReceiveOptions> = {}): { options: ReceiveOptions; sent: Buffer[] } {
  const sent: Buffer[] = [];
  const transfer: ReceiveOptions['transfer'] = async (_kind, body) => {
    for await (const chunk of body) sent.push(chunk as Buffer);
    return {} as PutResult;
  };
  return { sent, options: { maxBytes: 10_000_000, allowedTypes: ['image/*'], transfer, ...over } };
}

it('hands a small file back whole, without a transfer', async () => {
  const data = pngOf(SMALL_BODY_BYTES);
  const { options, sent } = receiver();
  const file = await receiveFile(inChunks(data), options);
  expect(file).toMatchObject({
    bytes: data.length,
    sha256: digestOf('sha256', data),
    md5: digestOf('md5', data),
    kind: { mime: 'image/png' },
  });
  expect('small' in file.body && Buffer.concat(file.body.small).equals(data)).toBe(true);
  expect(sent).toEqual([]);
});

it('holds a small file that comes byte by byte in few pieces', async () => {
  const data = pngOf(100_000);
  const file = await receiveFile(inChunks(data, 1), receiver().options);
  if (!('small' in file.body)) throw new Error('it is small');
  expect(Buffer.concat(file.body.small).equals(data)).toBe(true);
  expect(file.body.small.length).toBeLessThan(200);
});

it('passes every byte of a large file on, in order', async () => {
  const data = pngOf(SMALL_BODY_BYTES * 5 + 1);
  const { options, sent } = receiver();
  const file = await receiveFile(inChunks(data), options);
  expect(Buffer.concat(sent).equals(data)).toBe(true);
  expect(file).toMatchObject({ bytes: data.length, sha256: digestOf('sha256', data) });
  expect(file.body).toHaveProperty('stored');
});

it('refuses a kind that is not allowed before the rest is read', async () => {
  let read = 0;
  const source = Readable.from(
    (function* () {
      for (; read < 1_000; read += 1) yield Buffer.alloc(16_384, 'a');
    })(),
  );
  await expect(receiveFile(source, receiver().options)).rejects.toMatchObject({ code: 'UNSUPPORTED_TYPE' });
  expect(read).toBeLessThan(20);
  expect(source.destroyed).toBe(true);
});

it.each([
  ['small', 1_000],
  ['large', SMALL_BODY_BYTES * 3],
])('refuses a %s file that is one byte too long and ends its transfer', async (_size, maxBytes) => {
  await expect(
    receiveFile(inChunks(pngOf(maxBytes + 1)), receiver({ maxBytes }).options),
  ).rejects.toMatchObject({ code: 'FILE_TOO_LARGE' });
  await expect(receiveFile(inChunks(pngOf(maxBytes)), receiver({ maxBytes }).options)).resolves.toMatchObject(
    { bytes: maxBytes },
  );
});

it('reports the broken source rather than what the host made of it', async () => {
  const broken = Readable.from(
    (function* () {
      yield pngOf(SMALL_BODY_BYTES * 2);
      throw new Error('the client went away');
    })(),
  );
  await expect(receiveFile(broken, receiver().options)).rejects.toThrow('the client went away');
});

it('reports what the host said rather than how it left the body', async () => {
  const transfer: ReceiveOptions['transfer'] = async (_kind, body) => {
    body.once('data', () => body.destroy(new Error('left')));
    await once(body, 'error');
    throw new Error('no room');
  };
  const source = inChunks(pngOf(SMALL_BODY_BYTES * 4));
  await expect(receiveFile(source, receiver({ transfer }).options)).rejects.toThrow('no room');
});

it('destroys the source when the host fails', async () => {
  const source = inChunks(pngOf(SMALL_BODY_BYTES * 4));
  const transfer = (): Promise<never> => Promise.reject(new Error('no room'));
  await expect(receiveFile(source, receiver({ transfer }).options)).rejects.toThrow('no room');
  expect(source.destroyed).toBe(true);
});

it('refuses an empty file', async () => {
  await expect(receiveFile(Readable.from([]), receiver().options)).rejects.toMatchObject({
    code: 'FILE_EMPTY',
  });
});

describe('Repr-Digest', () => {
  const digest = createHash('sha256').update('hello').digest();
  const field = `sha-256=:${digest.toString('base64')}:`;

  it('reads the SHA-256 among other algorithms', () => {
    expect(readReprDigest(field)).toBe(digest.toString('hex'));
    expect(readReprDigest(`sha-512=:AAAA:, ${field}`)).toBe(digest.toString('hex'));
    expect(readReprDigest('sha-512=:AAAA:')).toBeNull();
    const other = `sha-256=:${Buffer.alloc(32).toString('base64')}:`;
    expect(readReprDigest(`${other}, ${field}`)).toBe(digest.toString('hex'));
    expect(readReprDigest(undefined)).toBeNull();
  });

  it.each(['sha-256=:AAAA:', 'sha-256=abc', `sha-256=:${digest.toString('hex')}:`, 'sha-256='])(
    'refuses %s',
    (header) => {
      expect(() => readReprDigest(header)).toThrow(expect.objectContaining({ code: 'INVALID_REQUEST' }));
    },
  );
});
