import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startCloudinaryEmulator, type CloudinaryEmulator } from '@holdfast/cloudinary-emulator';
import { onePixelPng } from '@holdfast/shared/testing';
import { LARGE, openUploadBench, type UploadBench } from '../../test/support/upload-bench.js';

let emulator: CloudinaryEmulator;
let bench: UploadBench;
beforeEach(async () => {
  emulator = await startCloudinaryEmulator();
  bench = await openUploadBench({}, { CLOUDINARY_URL: emulator.cloudinaryUrl });
});
afterEach(async () => {
  await bench.close();
  await emulator.close();
});

const aPng = (bytes: number): Buffer => Buffer.concat([onePixelPng, Buffer.alloc(bytes)]);

describe('where the default upload preset of the account', () => {
  it.each([
    ['renames uploads', 100, { folder: 'incoming' }],
    ['renames large uploads', LARGE, { folder: 'incoming' }],
    ['transforms uploads', 100, { transforms: true }],
    ['transforms large uploads', LARGE, { transforms: true }],
    ['does both', 100, { folder: 'incoming', transforms: true }],
  ])('%s, they are refused and leave nothing', async (_case, bytes, defaultPreset) => {
    await emulator.configure({ defaultPreset });
    const { status, body } = await bench.send([['file', aPng(bytes)]]);
    expect({ status, code: body['code'] }).toEqual({ status: 502, code: 'HOST_ALTERS_UPLOADS' });
    expect(body['detail']).toContain('default upload preset');
    expect(await emulator.assets.list()).toEqual([]);
    expect(await bench.catalog.counts()).toMatchObject({ total: 0 });

    await emulator.configure({ defaultPreset: null });
    expect((await bench.send([['file', aPng(bytes)]])).status).toBe(202);
  });

  it.each([100, LARGE])('adds to uploads of %i bytes, they are accepted', async (bytes) => {
    await emulator.configure({
      defaultPreset: { tags: ['inbox'], context: { team: 'web', caption: 'theirs' }, assetFolder: 'inbox' },
    });
    const { status, body } = await bench.send([
      ['file', aPng(bytes)],
      ['title', 'Ours'],
      ['tags', 'sea'],
    ]);
    expect(status).toBe(202);
    expect(body['media']).toMatchObject({ title: 'Ours', tags: expect.arrayContaining(['sea']) as unknown });
    const [asset] = await emulator.assets.list();
    expect(asset?.context).toMatchObject({ team: 'web', caption: 'Ours', hf: '1' });
    expect(asset?.assetFolder).toBe('holdfast');
  });
});
