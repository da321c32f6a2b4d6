import { expect, it, onTestFinished } from 'vitest';
import { startCloudinaryEmulator } from '@holdfast/cloudinary-emulator';
import { LARGE, openUploadBench } from '../../test/support/upload-bench.js';

/** A sound of so many bytes, at 8,000 bytes a second. */
function aWav(bytes: number): Buffer {
  const header = Buffer.alloc(44);
  header.write('RIFF', 0, 'latin1');
  header.writeUInt32LE(bytes - 8, 4);
  header.write('WAVEfmt ', 8, 'latin1');
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(1, 20);
  header.writeUInt16LE(1, 22);
  header.writeUInt32LE(8_000, 24);
  header.writeUInt32LE(8_000, 28);
  header.writeUInt16LE(1, 32);
  header.writeUInt16LE(8, 34);
  header.write('data', 36, 'latin1');
  header.writeUInt32LE(bytes - 44, 40);
  return Buffer.concat([header, Buffer.alloc(bytes - 44, 1)]);
}

it('writes the duration to the asset, and gives the client the tags in their order', async () => {
  const emulator = await startCloudinaryEmulator({ tagOrder: 'sorted' });
  onTestFinished(() => emulator.close());
  const env = { CLOUDINARY_URL: emulator.cloudinaryUrl };
  const bench = await openUploadBench({ allowedTypes: ['audio/*'] }, env);
  onTestFinished(() => bench.close());
  const { status, body } = await bench.send([
    ['tags', 'sea, hill'],
    ['file', aWav(LARGE), 'a.wav'],
  ]);
  expect(status).toBe(202);
  const durationSeconds = (LARGE - 44) / 8_000;
  expect(body['media']).toMatchObject({ tags: ['sea', 'hill'], durationSeconds });
  const [asset] = await emulator.assets.list();
  expect(asset?.context['hf_dur']).toBe(String(durationSeconds));
});
