import type { Random } from './random.js';
import { allowed, requestText, whole, type RawRequest } from './request-text.js';

const UPLOAD = '/api/media/upload';
const disposition = (rest: string): string => `Content-Disposition: form-data; ${rest}\r\n\r\n`;
/** Text is not an accepted kind of file, so that no form that happens to be whole is kept. */
const file = (content: string, name = 'file', filename = 'a.txt'): string =>
  `${disposition(`name="${name}"; filename="${filename}"`)}${content}\r\n`;
const field = (name: string, value: string): string => `${disposition(`name="${name}"`)}${value}\r\n`;
const form = (parts: readonly string[]): string =>
  `${parts.map((part) => `--b\r\n${part}`).join('')}--b--\r\n`;
const send = (body: Buffer | string, type = 'multipart/form-data; boundary=b'): RawRequest =>
  whole('POST', UPLOAD, [['Content-Type', type]], body);

/** A form that lies about its length, or is sent in chunks. */
function framed(
  headers: readonly (readonly [string, string])[],
  body: string,
  complete: boolean,
): RawRequest {
  const type = ['Content-Type', 'multipart/form-data; boundary=b'] as const;
  return { bytes: requestText('POST', UPLOAD, [...allowed, type, ...headers], body), complete };
}

const oddNames = [
  '__proto__',
  'constructor',
  'file',
  'title[a][b]',
  '',
  '\u0000',
  'tags[]',
  'hasOwnProperty',
];
const oddFilenames = [
  '../../etc/passwd',
  'a\u0000.png',
  '%0d%0aX: 1',
  'x'.repeat(9_000),
  '\\\\host\\c',
  '💥',
];
const types = [
  'multipart/form-data',
  'multipart/form-data; boundary=',
  'multipart/form-data; boundary=""',
  `multipart/form-data; boundary=${'b'.repeat(500)}`,
  'multipart/mixed; boundary=b',
  'text/plain',
  'application/json',
  'multipart/form-data; boundary=c',
  'multipart/form-data; boundary="b',
  'image/png',
  '\u00ff',
];

/** Uploads that no server can take. */
export const brokenForms: readonly ((random: Random) => RawRequest)[] = [
  (random) => send(form([file('hello')]), random.pick(types)),
  (random) => send(`--b\r\n${file(random.junk(50))}`),
  (random) => send(random.bytes(random.int(2_000))),
  (random) => send(form([file('hello')]).slice(0, random.int(80))),
  (random) => send(form([file('hello')]).replaceAll('\r\n', random.pick(['\n', '\r', '\n\n', '\r\n\r\n']))),
  (random) => send(form([field(random.pick(oddNames), random.junk(20)), file('hello')])),
  (random) => send(form([file('hello', random.pick(['other', '', 'file[]', '__proto__']))])),
  (random) => send(form([file('hello', 'file', random.pick(oddFilenames))])),
  () => send(form([file('one'), file('two')])),
  () => send(form([])),
  () => send(form([field('title', 'no file')])),
  () => send(form([file('')])),
  (random) => send(form([field('title', 'x'.repeat(500 + random.int(5_000))), file('hello')])),
  (random) => send(form([field('tags', 'a,'.repeat(51 + random.int(500))), file('hello')])),
  (random) =>
    send(
      form([
        ...Array.from({ length: 50 + random.int(500) }, (_, n) => field(`f${String(n)}`, 'x')),
        file('a'),
      ]),
    ),
  () => send(form([field('description', 'x'.repeat(2_000_000)), file('hello')])),
  () => send(form([`X-Many: ${'y'.repeat(100_000)}\r\n${file('hello')}`])),
  (random) => send(form([`${random.junk(30)}\r\n\r\nhello\r\n`])),
  (random) => send(form([`Content-Disposition: ${random.junk(20)}\r\n\r\nhello\r\n`, file('hello')])),
  (random) => send(form([`Content-Type: ${random.junk(20)}\r\n${file('hello')}`])),
  (random) =>
    send(form([`Content-Transfer-Encoding: ${random.pick(['base64', 'x', '7bit'])}\r\n${file('!')}`])),
  (random) => send(Buffer.concat([Buffer.from('--b\r\n'), random.bytes(300), Buffer.from('\r\n--b--\r\n')])),
  () => send(Buffer.from(form([field('title', '\u00ff\u00fe\ud800'), file('hello')]), 'latin1')),
  () =>
    send(
      form([
        `Content-Type: multipart/mixed; boundary=c\r\n${disposition('name="file"')}--c\r\n\r\nx\r\n--c--\r\n`,
      ]),
    ),
  () => framed([['Content-Length', '999999']], form([file('hello')]), false),
  () => framed([['Content-Length', '10']], form([file('hello')]), true),
  (random) =>
    framed([['Content-Length', random.pick(['-1', '1e3', '0x10', '9'.repeat(30), 'a', ''])]], '', true),
  (random) =>
    framed(
      [['Transfer-Encoding', 'chunked']],
      `${random.pick(['zz', '-1', 'fffffffff', ''])}\r\nx\r\n0\r\n\r\n`,
      false,
    ),
  () => framed([['Transfer-Encoding', 'chunked']], '5\r\n--b\r\n', false),
  (random) =>
    framed([['Transfer-Encoding', random.pick(['gzip', 'chunked, chunked', 'identity', ', '])]], 'x', false),
  (random) =>
    framed(
      [
        ['Content-Length', '5'],
        ['Content-Encoding', random.pick(['gzip', 'br', 'x'])],
      ],
      'abcde',
      true,
    ),
  () => framed([['Content-Length', '500000000']], form([file('hello')]), true),
];
