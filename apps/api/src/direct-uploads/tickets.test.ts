import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startCloudinaryEmulator, type CloudinaryEmulator } from '@holdfast/cloudinary-emulator';
import { onePixelPng, startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { complete, post, sign } from '../../test/support/direct-upload.js';
import { startApi, type RunningApi } from '../../test/support/running-api.js';

let redis: RedisSandbox;
let emulator: CloudinaryEmulator;
let api: RunningApi;

beforeAll(async () => {
  [redis, emulator] = await Promise.all([startRedisSandbox(), startCloudinaryEmulator()]);
  api = await startApi(redis, { CLOUDINARY_URL: emulator.cloudinaryUrl, UPLOAD_MAX_BYTES: '100000' });
});
afterAll(async () => {
  await api.close();
  await emulator.close();
  await redis.close();
});
beforeEach(async () => {
  await emulator.faults.clear();
  await emulator.configure({ clockOffsetMs: 0 });
});

const onHost = (id: string) => emulator.assets.get('image', `holdfast/${id}`);

describe('a ticket', () => {
  it('is worth one file: what is there is not replaced', async () => {
    const ticket = await sign(api);
    await post(ticket);
    const other = Buffer.concat([onePixelPng, Buffer.from('other bytes')]);
    expect((await post(ticket, other)).body).toMatchObject({ existing: true, bytes: onePixelPng.length });
    expect((await complete(api, ticket.id)).body.media.bytes).toBe(onePixelPng.length);
  });

  it.each([
    ['public_id', 'holdfast/mine'],
    ['overwrite', 'true'],
    ['context', 'hf=1'],
    ['tags', 'more'],
    ['timestamp', String(Math.floor(Date.now() / 1_000))],
  ])('cannot be changed in its %s', async (name, value) => {
    const ticket = await sign(api);
    expect(await post(ticket, onePixelPng, { [name]: value })).toMatchObject({ status: 401 });
    expect(await onHost(ticket.id)).toBeNull();
  });

  it('cannot be used for a kind that is not accepted', async () => {
    const ticket = await sign(api, { filename: 'a.txt' });
    const { body } = await post(ticket, Buffer.from('just text'));
    expect(await complete(api, ticket.id)).toMatchObject({ status: 415, body: { code: 'UNSUPPORTED_TYPE' } });
    expect(await emulator.assets.get('raw', String(body['public_id']))).toBeNull();
  });

  it('ends at its time, at the host too, and leaves nothing', async () => {
    const ticket = await sign(api);
    const ttl = await redis.client.pttl(api.deps.keys.ticket(ticket.id));
    expect(ttl).toBeGreaterThan(Date.parse(ticket.expiresAt) - Date.now());
    await emulator.configure({ clockOffsetMs: Date.parse(ticket.expiresAt) - Date.now() + 2_000 });
    expect(await post(ticket)).toMatchObject({ status: 400 });
    expect(await onHost(ticket.id)).toBeNull();
    expect(await redis.client.keys(`*${ticket.id}*`)).toEqual([api.deps.keys.ticket(ticket.id)]);
  });

  it('is refused for what could never be accepted', async () => {
    const refusals = [
      [{ bytes: 100_001 }, 413, 'FILE_TOO_LARGE'],
      [{ type: 'application/zip' }, 415, 'UNSUPPORTED_TYPE'],
      [{ type: 'raw' }, 415, 'UNSUPPORTED_TYPE'],
      [{ type: 'x y' }, 400, 'INVALID_REQUEST'],
      [{ bytes: 0 }, 400, 'INVALID_REQUEST'],
      [{ title: 'x'.repeat(501) }, 400, 'INVALID_REQUEST'],
      [{ tags: ['a,b'] }, 400, 'INVALID_REQUEST'],
      [[], 400, 'INVALID_REQUEST'],
    ] as const;
    for (const [body, status, code] of refusals)
      expect(await api.call('POST', '/api/media/uploads/sign', body)).toMatchObject({
        status,
        body: { code },
      });
  });

  it('needs no fields, accepts tags as one string, and chooses its id itself', async () => {
    const bare = await api.call('POST', '/api/media/uploads/sign');
    expect(bare).toMatchObject({ status: 200, body: { fields: { overwrite: 'false' } } });
    const ticket = await sign(api, { tags: 'sea, été,', id: 'mine', public_id: 'mine' });
    expect(ticket.fields).toMatchObject({ public_id: `holdfast/${ticket.id}`, tags: 'sea,été' });
  });

  it('names the narrowest place that its type allows', async () => {
    expect((await sign(api, { type: 'image/png' })).url).toMatch(/\/image\/upload$/);
    expect((await sign(api, { type: 'audio/mpeg' })).url).toMatch(/\/video\/upload$/);
    expect((await sign(api)).url).toMatch(/\/auto\/upload$/);
  });
});
