import { createHash, randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import type { UploadApiResponse } from 'cloudinary';
import { asError, failure, type Sdk } from '../testing/sdk-for.js';
import { setup } from '../testing/setup.js';

const MB = 1_048_576;
const part = (sdk: Sdk, id: string, file: Buffer, start: number, end: number, total: number) =>
  sdk.upload(file.subarray(start, end), {
    resource_type: 'raw',
    public_id: 'whole.bin',
    content_range: `bytes ${start}-${end - 1}/${total}`,
    x_unique_upload_id: id,
  });

test("joins the parts of the SDK's own chunked stream", async () => {
  const { sdk, emulator } = await setup();
  const file = randomBytes(13 * MB);
  const reply = await new Promise<UploadApiResponse>((resolve, reject) => {
    const sink = sdk.cloudinary.uploader.upload_chunked_stream(
      { ...sdk.account(), resource_type: 'raw', public_id: 'big.bin', chunk_size: 6 * MB },
      (error: unknown, result?: UploadApiResponse) => {
        if (error) reject(asError(error));
        else if (result?.['done'] === true) resolve(result);
      },
    );
    sink.end(file);
  });
  expect(reply).toMatchObject({
    public_id: 'big.bin',
    bytes: file.length,
    etag: createHash('md5').update(file).digest('hex'),
    done: true,
  });
  expect((await emulator.assets.bytes(String(reply['asset_id'])))?.equals(file)).toBe(true);
  expect((await emulator.requests.counters()).byEndpoint).toEqual({ upload: 3 });
});

test('accepts middle parts in any order and a repeated part once', async () => {
  const { sdk, emulator } = await setup();
  const file = randomBytes(21 * MB);
  const total = file.length;
  const first = await part(sdk, 'u1', file, 0, 6 * MB, -1);
  expect(first).toMatchObject({ done: false, kind: 'upload', bytes: 6 * MB, public_id: 'whole.bin' });
  await part(sdk, 'u1', file, 12 * MB, 18 * MB, -1);
  await part(sdk, 'u1', file, 6 * MB, 12 * MB, -1);
  await part(sdk, 'u1', file, 6 * MB, 12 * MB, -1);
  const last = await part(sdk, 'u1', file, 18 * MB, total, total);
  expect(last).toMatchObject({ done: true, etag: createHash('md5').update(file).digest('hex') });
  expect(await emulator.assets.count()).toBe(1);
});

test('refuses parts that come too early, too late or too small', async () => {
  const { sdk, emulator } = await setup();
  const file = randomBytes(12 * MB);
  const total = file.length;
  expect((await failure(part(sdk, 'u2', file, 6 * MB, total, total))).message).toMatch(
    /first part must come first/,
  );
  expect(await failure(part(sdk, 'u2', file, 0, MB, -1))).toEqual({
    message: 'All parts except EOF-chunk must be larger than 5mb',
    http_code: 400,
  });
  expect((await failure(part(sdk, '', file, 0, 6 * MB, -1))).message).toBe('Missing X-Unique-Upload-Id');
  await part(sdk, 'u2', file, 0, 5 * MB, -1);
  expect((await failure(part(sdk, 'u2', file, 11 * MB, total, total))).message).toMatch(
    /last part must come after/,
  );
  await part(sdk, 'u2', file, 5 * MB, total, total);
  expect((await failure(part(sdk, 'u2', file, 5 * MB, total, total))).message).toMatch(/already finished/);
  expect(await emulator.assets.count()).toBe(1);
});
