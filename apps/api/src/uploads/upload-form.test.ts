import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { aPng } from '../../test/support/api-pair.js';
import { LARGE, openUploadBench, type UploadBench } from '../../test/support/upload-bench.js';

let bench: UploadBench;
beforeEach(async () => {
  bench = await openUploadBench();
});
afterEach(() => bench.close());

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
