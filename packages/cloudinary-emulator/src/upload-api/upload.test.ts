import { createHash } from 'node:crypto';
import { Agent } from 'node:http';
import { expect, test } from 'vitest';
import { eventually } from '../testing/eventually.js';
import { freePlanLimits } from '../settings.js';
import { png } from '../testing/png.js';
import { failure } from '../testing/sdk-for.js';
import { setup } from '../testing/setup.js';

const md5 = (bytes: Buffer) => createHash('md5').update(bytes).digest('hex');

test('returns an uploaded file byte for byte, with its detected properties', async () => {
  const { sdk, emulator } = await setup();
  const file = png(3, 2);
  const reply = await sdk.upload(file, {
    public_id: 'a/b ü',
    context: { alt: 'x|y=z', ключ: 'значение' },
    tags: ['t1', 't2'],
  });
  expect(reply).toMatchObject({
    public_id: 'a/b ü',
    resource_type: 'image',
    type: 'upload',
    width: 3,
    height: 2,
    format: 'png',
    bytes: file.length,
    etag: md5(file),
    tags: ['t1', 't2'],
    context: { custom: { alt: 'x|y=z', ключ: 'значение' } },
  });
  expect(reply['asset_id']).toMatch(/^[0-9a-f]{32}$/);
  expect(reply.created_at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  const delivered = await fetch(reply.secure_url);
  expect(Buffer.from(await delivered.arrayBuffer())).toEqual(file);
  expect(await emulator.assets.bytes(String(reply['asset_id']))).toEqual(file);
});

test.each([
  ['image', png(1, 1)],
  ['video', Buffer.from('\0\0\0\x18ftypmp42\0\0\0\0mp42isom', 'latin1')],
  ['raw', Buffer.from('plain text')],
])('decides on %s by the first bytes when asked for auto', async (resourceType, file) => {
  const { sdk } = await setup();
  const reply = await sdk.upload(file, { resource_type: 'auto' });
  expect(reply.resource_type).toBe(resourceType);
});

test.each([
  ['no image at the image endpoint', Buffer.from('plain text'), {}, 'Invalid image file'],
  ['an image cut off in its header', png(9, 9).subarray(0, 12), {}, 'Invalid image file'],
  ['an empty file', Buffer.alloc(0), { resource_type: 'raw' as const }, 'Empty file'],
  ['a public id with a question mark', png(1, 1), { public_id: 'a?b' }, 'public_id (a?b) is invalid'],
  [
    'a context value over 1024 characters',
    png(1, 1),
    { context: { long: 'x'.repeat(1025) } },
    'Context value for long is too long (maximum is 1024 characters)',
  ],
])('refuses %s and keeps nothing', async (_what, file, options, message) => {
  const { sdk, emulator } = await setup();
  expect(await failure(sdk.upload(file, options))).toEqual({ message, http_code: 400 });
  expect(await emulator.assets.count()).toBe(0);
});

test('names both sizes when a file is past the limit of the plan', async () => {
  const { sdk } = await setup({ maxBytes: { raw: freePlanLimits.raw } });
  const file = Buffer.alloc(freePlanLimits.raw + 1, 1);
  expect(await failure(sdk.upload(file, { resource_type: 'raw' }))).toEqual({
    message: 'File size too large. Got 10485761. Maximum is 10485760.',
    http_code: 400,
  });
});

test('keeps the old asset and says so when it must not overwrite', async () => {
  const { sdk, emulator } = await setup();
  const first = await sdk.upload(png(1, 1), { public_id: 'same', tags: ['old'] });
  const second = await sdk.upload(png(2, 2), { public_id: 'same', overwrite: false, tags: ['new'] });
  expect(second).toMatchObject({
    asset_id: first['asset_id'],
    etag: first.etag,
    existing: true,
    tags: ['old'],
  });
  expect(first['existing']).toBeUndefined();
  expect(await emulator.assets.count()).toBe(1);
});

test('may answer before it has read a file that must not overwrite', async () => {
  const { sdk, emulator } = await setup({ existingAnswersEarly: true, bytes: 'discard' });
  await sdk.upload(Buffer.from('first'), { public_id: 'same', resource_type: 'raw' });
  const agent = new Agent();
  const reply = await new Promise<unknown>((resolve) => {
    const sink = sdk.cloudinary.uploader.upload_stream(
      { ...sdk.account(), agent, resource_type: 'raw', public_id: 'same', overwrite: false },
      (_error, result) => resolve(result),
    );
    sink.on('error', () => undefined);
    // Never ended: only an early answer can come back.
    sink.write(Buffer.alloc(1000));
  });
  agent.destroy();
  expect(reply).toMatchObject({ existing: true, bytes: 5 });
  expect(await emulator.assets.count()).toBe(1);
});

test('stores one asset when two uploads race for an id that must not be overwritten', async () => {
  const { sdk, emulator } = await setup();
  const replies = await Promise.all(
    [1, 2, 3, 4].map((size) => sdk.upload(png(size, size), { public_id: 'raced', overwrite: false })),
  );
  expect(replies.filter((reply) => reply['existing'] === undefined)).toHaveLength(1);
  expect(new Set(replies.map((reply) => reply.etag)).size).toBe(1);
  expect(await emulator.assets.count()).toBe(1);
});

test('an overwrite keeps the asset id, raises the version and drops what was not sent again', async () => {
  const { sdk, emulator } = await setup();
  const first = await sdk.upload(png(1, 1), { public_id: 'same', tags: ['old'], context: { a: '1' } });
  const second = await sdk.upload(png(2, 2), { public_id: 'same', context: { b: '2' } });
  expect(second['asset_id']).toBe(first['asset_id']);
  expect(second.version).toBeGreaterThan(first.version);
  expect(second).toMatchObject({ tags: [], context: { custom: { b: '2' } }, overwritten: true });
  await emulator.configure({ overwriteClears: false });
  const third = await sdk.upload(png(3, 3), { public_id: 'same' });
  expect(third).toMatchObject({ context: { custom: { b: '2' } } });
});

test('refuses a wrong signature before it reads the file', async () => {
  const { sdk, emulator } = await setup();
  const error = await failure(
    sdk.upload(Buffer.alloc(50_000_000), { api_secret: 'wrong', resource_type: 'raw' }),
  );
  expect(error.http_code).toBe(401);
  expect(error.message).toMatch(/^Invalid Signature [0-9a-f]{40}\. String to sign - 'timestamp=\d+'\.$/);
  expect(await emulator.assets.count()).toBe(0);
});

test('refuses a request that was signed over an hour ago', async () => {
  const { sdk } = await setup({ clockOffsetMs: 3_700_000 });
  const error = await failure(sdk.upload(png(1, 1)));
  expect(error.http_code).toBe(400);
  expect(error.message).toMatch(
    /^Stale request - reported time is \d{4}-\d\d-\d\d \d\d:\d\d:\d\d \+0000 which is more than 1 hour ago$/,
  );
});

test('accepts signatures of both algorithms and both versions', async () => {
  const { sdk } = await setup();
  const file = png(1, 1);
  for (const variant of [
    { signature_algorithm: 'sha256' },
    { signature_version: 1 },
    { signature_version: 2 },
  ]) {
    const reply = await sdk.upload(file, { public_id: 'signed', context: { a: 'x&y' }, ...variant });
    expect(reply.context).toEqual({ custom: { a: 'x&y' } });
  }
});

test('signs its answers as the SDK verifies them', async () => {
  const { sdk, emulator } = await setup();
  const reply = await sdk.upload(png(1, 1));
  const { apiSecret } = { apiSecret: sdk.account().api_secret };
  const expected = sdk.cloudinary.utils.api_sign_request(
    { public_id: reply.public_id, version: reply.version },
    apiSecret,
  );
  expect(reply.signature).toBe(expected);
  expect(emulator.cloudinaryUrl).toContain(apiSecret);
});

test('accepts a form posted by a browser, even with its fields behind the file', async () => {
  const { sdk, emulator } = await setup();
  const { api_secret: secret, api_key: key } = sdk.account();
  const params = { public_id: 'direct', timestamp: Math.round(Date.now() / 1000), overwrite: 'false' };
  const fields = {
    ...params,
    signature: sdk.cloudinary.utils.api_sign_request(params, secret),
    api_key: key,
  };
  const form = new FormData();
  form.set('file', new Blob([png(4, 4)]), 'holiday.png');
  for (const [name, value] of Object.entries(fields)) form.set(name, String(value));
  const response = await fetch(`${emulator.url}/v1_1/emulated-cloud/auto/upload`, {
    method: 'POST',
    body: form,
  });
  expect(response.status).toBe(200);
  expect(await response.json()).toMatchObject({
    public_id: 'direct',
    width: 4,
    original_filename: 'holiday',
  });

  form.set('public_id', 'other');
  const changed = await fetch(`${emulator.url}/v1_1/emulated-cloud/auto/upload`, {
    method: 'POST',
    body: form,
  });
  expect(changed.status).toBe(401);
  expect(await emulator.assets.get('image', 'other')).toBeNull();
});

test('keeps nothing of an upload whose client went away', async () => {
  const { sdk, emulator } = await setup();
  const agent = new Agent();
  const sink = sdk.cloudinary.uploader.upload_stream(
    { ...sdk.account(), agent, resource_type: 'raw', public_id: 'gone' },
    () => undefined,
  );
  sink.on('error', () => undefined);
  sink.write(Buffer.alloc(1_000_000));
  await eventually(async () => expect((await emulator.requests.counters()).inFlight).toBe(1));
  agent.destroy();
  await eventually(async () => expect((await emulator.requests.counters()).inFlight).toBe(0));
  expect(await emulator.assets.count()).toBe(0);
  sink.destroy();
});

test('accepts a data URI in place of a file part', async () => {
  const { sdk } = await setup();
  const file = png(5, 5);
  const uri = `data:image/png;base64,${file.toString('base64')}`;
  const reply = await sdk.cloudinary.uploader.upload(uri, { ...sdk.account() });
  expect(reply).toMatchObject({ width: 5, etag: md5(file) });
});

test('refuses more than 100,000,000 bytes in one request, as the proxy in front of Cloudinary does', async () => {
  const { sdk, emulator } = await setup({ bytes: 'discard' });
  const error = await failure(sdk.upload(Buffer.alloc(100_000_001, 1), { resource_type: 'raw' }));
  expect(error.message).toMatch(/413|EPIPE|ECONNRESET/);
  expect(await emulator.assets.count()).toBe(0);
  expect((await emulator.requests.counters()).byStatus).toEqual({ 413: 1 });
});
