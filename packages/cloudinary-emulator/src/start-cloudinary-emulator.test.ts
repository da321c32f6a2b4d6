import { createHash } from 'node:crypto';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startCloudinaryEmulator, type CloudinaryEmulator } from './start-cloudinary-emulator.js';
import { sdkFor, type Sdk } from './testing/sdk-for.js';
import { png } from './testing/png.js';

let emulator: CloudinaryEmulator;
let sdk: Sdk;

beforeEach(async () => {
  emulator = await startCloudinaryEmulator();
  sdk = await sdkFor(emulator);
});
afterEach(() => emulator.close());

test('an uploaded file comes back byte for byte', async () => {
  const file = png(3, 2);
  const reply = await sdk.upload(file, { public_id: 'a/b', context: { alt: 'x|y=z' }, tags: ['t1', 't2'] });
  expect(reply).toMatchObject({
    public_id: 'a/b',
    resource_type: 'image',
    width: 3,
    height: 2,
    format: 'png',
    bytes: file.length,
    etag: createHash('md5').update(file).digest('hex'),
    tags: ['t1', 't2'],
    context: { custom: { alt: 'x|y=z' } },
  });
  const delivered = await fetch(reply.secure_url);
  expect(Buffer.from(await delivered.arrayBuffer())).toEqual(file);
});
