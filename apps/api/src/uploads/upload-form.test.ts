import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { PutResult } from '@holdfast/shared/media-host';
import { aPng } from '../../test/support/api-pair.js';
import { LARGE, openUploadBench, type UploadBench } from '../../test/support/upload-bench.js';
import { readReprDigest, receiveFile, SMALL_BODY_BYTES, type ReceiveOptions } from './upload-form.js';

let bench: UploadBench;
function useBench(): void {
  beforeEach(async () => {
    bench = await openUploadBench();
    // The first upload of a process compiles its code: on a busy machine for longer than an upload waits for Redis.
    await post([]);
  });
  afterEach(() => bench.close());
}

interface RawPart {
  disposition: string;
  type?: string;
  body: Buffer | string;
}

const title = (body: Buffer | string, type?: string): RawPart => ({
  disposition: 'name="title"',
  body,
  ...(type === undefined ? {} : { type }),
});
const file = (bytes = 1_000, filename = 'a.png'): RawPart => ({
  disposition: `name="file"; filename="${filename}"`,
  body: aPng(bytes),
});
/** What a browser sends for a file input that nobody filled in. */
const unfilled = (name: string): RawPart => ({
  disposition: `name="${name}"; filename=""`,
  type: 'application/octet-stream',
  body: '',
});

/** A header line in Latin-1: each character is the byte that is sent. */
function formOf(parts: readonly RawPart[]): Buffer {
  const pieces = parts.flatMap(({ disposition, type, body }) => [
    Buffer.from(
      `--edge\r\nContent-Disposition: form-data; ${disposition}\r\n${type === undefined ? '' : `Content-Type: ${type}\r\n`}\r\n`,
      'latin1',
    ),
    typeof body === 'string' ? Buffer.from(body) : body,
    Buffer.from('\r\n'),
  ]);
  return Buffer.concat([...pieces, Buffer.from('--edge--\r\n')]);
}

interface Answered {
  status: number;
  body: { code?: string; errors?: unknown; media?: { title: string; filename: string } };
}

async function post(
  parts: readonly RawPart[],
  type = 'multipart/form-data; boundary=edge',
): Promise<Answered> {
  const response = await fetch(bench.url, {
    method: 'POST',
    body: new Uint8Array(formOf(parts)),
    headers: { 'Content-Type': type },
  });
  return { status: response.status, body: (await response.json()) as Answered['body'] };
}

const utf8AsLatin1 = (text: string): string => Buffer.from(text).toString('latin1');

describe('a form is refused rather than taken with a loss:', () => {
  useBench();

  it.each<[string, RawPart[], string, unknown]>([
    [
      'text that is not in UTF-8',
      [title(Buffer.from('caf\xe9', 'latin1')), file()],
      'title',
      'must be in UTF-8, without U+FFFD',
    ],
    [
      'text that is not in UTF-8, after a large file',
      [file(LARGE), title(Buffer.from('caf\xe9', 'latin1'))],
      'title',
      'must be in UTF-8, without U+FFFD',
    ],
    [
      'text that is not what it is declared to be',
      [title(Buffer.from('caf\xe9', 'latin1'), 'text/plain; charset=utf-8'), file()],
      'title',
      'must be in UTF-8, without U+FFFD',
    ],
    [
      'text that contains the character of lost bytes',
      [title('a\ufffdb'), file()],
      'title',
      'must be in UTF-8, without U+FFFD',
    ],
    [
      'text in a charset that the parser does not know',
      [title('hello', 'text/plain; charset=shift_jis'), file()],
      'title',
      'is in an unsupported charset',
    ],
  ])('%s', async (_what, parts, path, message) => {
    expect(await post(parts)).toMatchObject({
      status: 400,
      body: { code: 'INVALID_REQUEST', errors: [{ path, message }] },
    });
    await bench.expectNothingLeft();
  });

  it.each([
    ['before the file', (lost: RawPart) => [lost, file()]],
    ['after a large file', (lost: RawPart) => [file(LARGE), lost]],
  ])('text that calls itself a file without a name, %s', async (_where, arrange) => {
    const refused = await post(arrange(title('hello', 'application/octet-stream')));
    expect(refused).toMatchObject({ status: 400, body: { code: 'FILE_MISSING' } });
    await bench.expectNothingLeft();
  });

  it('a content type that multer passes over', async () => {
    const refused = await post([file()], 'multipart/form-data; boundary=edge; x');
    expect(refused).toMatchObject({ status: 400 });
    await bench.expectNothingLeft();
  });

  it('text parts that are too large together', async () => {
    const parts = Array.from({ length: 5 }, () => ({ disposition: 'name="x"', body: 'x'.repeat(60_000) }));
    const refused = await post([...parts, file()]);
    expect(refused).toMatchObject({ status: 400, body: { code: 'INVALID_REQUEST' } });
    expect(await post([...parts.slice(1), file()])).toMatchObject({ status: 202 });
  });

  it('a second file of another name', async () => {
    const other = { ...file(), disposition: 'name="other"; filename="b.png"' };
    const refused = await post([file(), other]);
    expect(refused).toMatchObject({ status: 400, body: { code: 'TOO_MANY_FILES' } });
    await bench.expectNothingLeft();
  });
});

describe('a form is taken', () => {
  useBench();

  it('with text in a declared charset, and a file name with special characters', async () => {
    const parts = [
      title('caf\u00e9', 'text/plain; charset=utf-8'),
      file(1_000, utf8AsLatin1('\ufffd \\"1\\" \u20ac.png')),
    ];
    expect(await post(parts)).toMatchObject({
      status: 202,
      body: { media: { title: 'caf\u00e9', filename: '\ufffd "1" \u20ac.png' } },
    });
  });

  it('with a file name that is not in UTF-8', async () => {
    const answer = await post([file(1_000, 'caf\xe9.png')]);
    expect(answer).toMatchObject({ status: 202, body: { media: { filename: 'caf\ufffd.png' } } });
  });

  it.each(['order[address][city]', `page$${'content$'.repeat(20)}button`])(
    'with a part of another name: %s',
    async (name) => {
      const answer = await post([{ disposition: `name="${name}"`, body: 'x' }, title('mine'), file()]);
      expect(answer).toMatchObject({ status: 202, body: { media: { title: 'mine' } } });
    },
  );

  it('with Latin-1 that is declared', async () => {
    const answer = await post([
      title(Buffer.from('caf\xe9', 'latin1'), 'text/plain; charset=iso-8859-1'),
      file(),
    ]);
    expect(answer).toMatchObject({ status: 202, body: { media: { title: 'caf\u00e9' } } });
  });

  it.each([
    ['before', [unfilled('cover'), unfilled('file'), file()]],
    ['after', [file(), unfilled('cover')]],
  ])('with file inputs that nobody filled in %s the file', async (_where, parts) => {
    expect(await post(parts)).toMatchObject({ status: 202, body: { media: { filename: 'a.png' } } });
  });
});

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

describe('a file', () => {
  it('hands a small file back whole, without a transfer', async () => {
    const data = pngOf(SMALL_BODY_BYTES);
    const { options, sent } = receiver();
    const received = await receiveFile(inChunks(data), options);
    expect(received).toMatchObject({
      bytes: data.length,
      sha256: digestOf('sha256', data),
      md5: digestOf('md5', data),
      kind: { mime: 'image/png' },
    });
    expect('small' in received.body && Buffer.concat(received.body.small).equals(data)).toBe(true);
    expect(sent).toEqual([]);
  });

  it('holds a small file that comes byte by byte in few pieces', async () => {
    const data = pngOf(100_000);
    const received = await receiveFile(inChunks(data, 1), receiver().options);
    if (!('small' in received.body)) throw new Error('it is small');
    expect(Buffer.concat(received.body.small).equals(data)).toBe(true);
    expect(received.body.small.length).toBeLessThan(200);
  });

  it('passes every byte of a large file on, in order', async () => {
    const data = pngOf(SMALL_BODY_BYTES * 5 + 1);
    const { options, sent } = receiver();
    const received = await receiveFile(inChunks(data), options);
    expect(Buffer.concat(sent).equals(data)).toBe(true);
    expect(received).toMatchObject({ bytes: data.length, sha256: digestOf('sha256', data) });
    expect(received.body).toHaveProperty('stored');
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
    await expect(
      receiveFile(inChunks(pngOf(maxBytes)), receiver({ maxBytes }).options),
    ).resolves.toMatchObject({ bytes: maxBytes });
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
