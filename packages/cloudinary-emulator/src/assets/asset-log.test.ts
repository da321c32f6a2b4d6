import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { png } from '../testing/png.js';
import { sdkFor } from '../testing/sdk-for.js';
import { startCloudinaryEmulator } from '../start-cloudinary-emulator.js';

function folder(): string {
  const directory = mkdtempSync(join(tmpdir(), 'emulator-test-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

test('a restarted emulator has the same assets and bytes, also after a torn last line', async () => {
  const directory = folder();
  const first = await startCloudinaryEmulator({ directory });
  const sdk = await sdkFor(first);
  const kept = await sdk.upload(png(3, 3), { public_id: 'kept', context: { k: 'v' } });
  await sdk.upload(png(1, 1), { public_id: 'gone' });
  await first.assets.seed(100, { publicId: 's/{n}' });
  await sdk.uploader.destroy('gone', sdk.account());
  await sdk.uploader.destroy('s/5', sdk.account());
  await sdk.uploader.add_tag('t', ['s/6', 'kept'], sdk.account());
  const before = await first.assets.list();
  await first.close();

  appendFileSync(join(directory, 'assets.ndjson'), '{"put":{"assetId":"torn');
  const second = await startCloudinaryEmulator({ directory });
  expect(await second.assets.list()).toEqual(before);
  expect((await second.assets.bytes(String(kept['asset_id'])))?.equals(png(3, 3))).toBe(true);
  const next = await (await sdkFor(second)).upload(png(2, 2), { public_id: 'kept' });
  expect(next['asset_id']).toBe(kept['asset_id']);
  await second.assets.remove(String(next['asset_id']));
  await second.close();

  const last = await startCloudinaryEmulator({ directory });
  onTestFinished(() => last.close());
  expect(await last.assets.list()).toEqual(before.filter((asset) => asset.publicId !== 'kept'));
});
