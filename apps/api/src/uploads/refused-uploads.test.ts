import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { HoldfastError } from '@holdfast/foundation/errors';
import { aPng } from '../../test/support/api-pair.js';
import { LARGE, openUploadBench, type Part, type UploadBench } from '../../test/support/upload-bench.js';

let bench: UploadBench;
beforeEach(async () => {
  bench = await openUploadBench();
});
afterEach(() => bench.close());

describe('S17: bad input leaves nothing behind', () => {
  const digestOf = (text: string): string =>
    `sha-256=:${createHash('sha256').update(text).digest('base64')}:`;
  it.each<[string, Part[], Record<string, string>, number, string]>([
    ['no file', [['title', 'x']], {}, 400, 'FILE_MISSING'],
    ['a file under another name', [['photo', aPng()]], {}, 400, 'FILE_MISSING'],
    [
      'two files',
      [
        ['file', aPng()],
        ['file', aPng()],
      ],
      {},
      400,
      'TOO_MANY_FILES',
    ],
    [
      'two large files',
      [
        ['file', aPng(LARGE)],
        ['file', aPng(LARGE)],
      ],
      {},
      400,
      'TOO_MANY_FILES',
    ],
    ['an empty file', [['file', Buffer.alloc(0)]], {}, 400, 'FILE_EMPTY'],
    ['a text file that calls itself an image', [['file', Buffer.from('hello')]], {}, 415, 'UNSUPPORTED_TYPE'],
    ['a file that is too large', [['file', aPng(1_000_001)]], {}, 413, 'FILE_TOO_LARGE'],
    ['a body far too large', [['file', aPng(3_000_000)]], {}, 413, 'FILE_TOO_LARGE'],
    [
      'a title that is too long',
      [
        ['title', 'x'.repeat(501)],
        ['file', aPng()],
      ],
      {},
      400,
      'INVALID_REQUEST',
    ],
    [
      'a title that is too long after a large file',
      [
        ['file', aPng(LARGE)],
        ['title', 'x'.repeat(501)],
      ],
      {},
      400,
      'INVALID_REQUEST',
    ],
    [
      'a repeated title',
      [
        ['title', 'a'],
        ['title', 'b'],
        ['file', aPng()],
      ],
      {},
      400,
      'INVALID_REQUEST',
    ],
    [
      'a title that is an object',
      [
        ['title[a]', 'a'],
        ['file', aPng()],
      ],
      {},
      400,
      'INVALID_REQUEST',
    ],
    [
      '51 tags',
      [
        ['tags', Array.from({ length: 51 }, (_unused, index) => `t${String(index)}`).join(',')],
        ['file', aPng()],
      ],
      {},
      400,
      'INVALID_REQUEST',
    ],
    ['another digest', [['file', aPng()]], { 'Repr-Digest': digestOf('x') }, 400, 'DIGEST_MISMATCH'],
    [
      'another digest of a large file',
      [['file', aPng(LARGE)]],
      { 'Repr-Digest': digestOf('x') },
      400,
      'DIGEST_MISMATCH',
    ],
    [
      'a digest that cannot be one',
      [['file', aPng()]],
      { 'Repr-Digest': 'sha-256=:x:' },
      400,
      'INVALID_REQUEST',
    ],
    [
      'a field of a megabyte',
      [
        ['title', 'x'.repeat(1_000_000)],
        ['file', aPng()],
      ],
      {},
      400,
      'INVALID_REQUEST',
    ],
    [
      'a thousand parts',
      [
        ...Array.from({ length: 1_000 }, (_unused, index): Part => [`f${String(index)}`, 'x']),
        ['file', aPng()],
      ],
      {},
      400,
      'INVALID_REQUEST',
    ],
  ])('%s', async (_name, parts, headers, status, code) => {
    const answer = await bench.send(parts, headers);
    expect(answer).toMatchObject({ status, body: { code, status } });
    await bench.expectNothingLeft();
  });

  it.each<[string, string, string, number, string]>([
    ['a JSON body', 'application/json', '{}', 415, 'UNSUPPORTED_BODY'],
    ['no boundary', 'multipart/form-data', 'x', 400, 'MALFORMED_BODY'],
    ['a body that is not a form', 'multipart/form-data; boundary=b', 'nonsense', 400, 'MALFORMED_BODY'],
    [
      'a form that never ends',
      'multipart/form-data; boundary=b',
      '--b\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\nx',
      400,
      'MALFORMED_BODY',
    ],
  ])('%s', async (_name, type, body, status, code) => {
    const response = await fetch(bench.url, { method: 'POST', body, headers: { 'Content-Type': type } });
    expect({ status: response.status, body: await response.json() }).toMatchObject({
      status,
      body: { code },
    });
    await bench.expectNothingLeft();
  });

  it('a form that is compressed', async () => {
    const form = '--b\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\nx\r\n--b--\r\n';
    const headers = { 'Content-Type': 'multipart/form-data; boundary=b', 'Content-Encoding': 'gzip' };
    const response = await fetch(bench.url, { method: 'POST', body: gzipSync(form), headers });
    expect({ status: response.status, body: await response.json() }).toMatchObject({
      status: 415,
      body: { code: 'UNSUPPORTED_BODY' },
    });
    await bench.expectNothingLeft();
  });

  it.each([1, 200, 5_000, 300_000, 550_000])(
    'a client that vanishes after %i bytes of its body',
    async (cut) => {
      const head = '--b\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n';
      const body = Buffer.concat([Buffer.from(head), aPng(LARGE), Buffer.from('\r\n--b--\r\n')]);
      const socket = connect(bench.port, '127.0.0.1');
      await once(socket, 'connect');
      socket.write(
        `POST /upload HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: ${String(body.length)}\r\n\r\n`,
      );
      socket.write(body.subarray(0, cut));
      await vi.waitFor(async () => expect(await bench.redis.client.zcard('{holdfast}:intents')).toBe(1));
      socket.destroy();
      await bench.expectNothingLeft();
      await vi.waitFor(() => expect(bench.uploads.slots.running).toBe(0));
    },
  );
});

it.each<[string, Part[], string]>([
  ['the part', [['image', aPng()]], 'the file was sent as "image": name that part "file"'],
  [
    'the types',
    [['file', Buffer.from('hello')]],
    'the file is not accepted: no media type was detected from its first bytes; accepted types are image/*, application/zip',
  ],
  [
    'the types',
    [['file', gzipSync('hello')]],
    'the file is not accepted: it is application/gzip; accepted types are image/*, application/zip',
  ],
])('names %s that would be accepted', async (_what, parts, detail) => {
  expect((await bench.send(parts)).body).toMatchObject({ detail });
});

it('waits for a host that stores what was cancelled, and removes it then', async () => {
  const { host, slots } = bench.uploads;
  const put = host.put.bind(host);
  const stored: Promise<unknown>[] = [];
  host.put = ({ body, signal, ...request }) => {
    if (body instanceof Readable) body.on('error', () => undefined).resume();
    // All of it had come when the word reached it that nobody wants it any more.
    const late = once(signal, 'abort').then(() =>
      put({ ...request, body: aPng(LARGE), signal: new AbortController().signal }),
    );
    stored.push(late);
    return late;
  };
  const socket = connect(bench.port, '127.0.0.1');
  const head = '--b\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n';
  socket.write(
    `POST /upload HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: ${String(2 * LARGE)}\r\n\r\n${head}`,
  );
  socket.write(aPng(LARGE));
  await vi.waitFor(() => expect(stored).toHaveLength(1));
  socket.destroy();
  await vi.waitFor(() => expect(slots.running).toBe(0));
  expect(await Promise.all(stored)).toMatchObject([{ existed: false }]);
  await bench.expectNothingLeft();
});

it.each([
  ['without a key', {}],
  ['with a key', { 'Idempotency-Key': 'k' }],
])(
  'leaves nothing of an upload %s that Redis accepted unheard, too late to defer it',
  async (_what, headers) => {
    const { intents, slots } = bench.uploads;
    const { take } = slots;
    // As after 20 s without an answer.
    slots.take = (...args) => {
      const slot = take(...args);
      return slot && Object.assign(slot, { isFresh: () => false });
    };
    const accept = intents.accept.bind(intents);
    const accepted: string[] = [];
    intents.accept = async (upload) => {
      accepted.push(await accept(upload));
      throw new HoldfastError('QUEUE_UNAVAILABLE');
    };
    const data = aPng(1_000);
    const { status, body } = await bench.send([['file', data]], headers);
    expect({ status, code: body['code'], accepted }).toEqual({
      status: 503,
      code: 'QUEUE_UNAVAILABLE',
      accepted: ['accepted'],
    });
    expect(await bench.filesOnHost()).toEqual([]);
    expect(await bench.catalog.counts()).toMatchObject({ total: 0 });
    intents.accept = accept;
    slots.take = take;
    expect((await bench.send([['file', data]], headers)).status).toBe(202);
    expect(await bench.catalog.counts()).toMatchObject({ total: 1 });
  },
);

it.each([
  ['other bytes', 1_000, { etag: 'ab'.repeat(16) }],
  ['other bytes of a large file', LARGE, { etag: 'ab'.repeat(16) }],
  ['fewer bytes, without telling their hash', 1_000, { etag: null, bytes: 999 }],
])('refuses an upload of which the host stored %s, and removes it', async (_what, bytes, told) => {
  const put = bench.uploads.host.put.bind(bench.uploads.host);
  bench.uploads.host.put = async (request) => {
    const result = await put(request);
    return { ...result, asset: { ...result.asset, ...told } };
  };
  expect(await bench.send([['file', aPng(bytes)]])).toMatchObject({
    status: 502,
    body: { code: 'HOST_CONTENT_MISMATCH' },
  });
  await bench.expectNothingLeft();
});
