import { expect, test, vi } from 'vitest';
import { png } from './testing/png.js';
import { setup } from './testing/setup.js';

test('answers uploads and listings after their own delays, with the work done before', async () => {
  const { sdk, emulator } = await setup({ responseDelayMs: 300, listDelayMs: 100 });
  const startedAt = performance.now();
  const upload = sdk.upload(png(1, 1));
  await vi.waitFor(async () => expect(await emulator.assets.count()).toBe(1));
  expect(performance.now() - startedAt).toBeLessThan(300);
  await upload;
  expect(performance.now() - startedAt).toBeGreaterThanOrEqual(299);
  const listedAt = performance.now();
  await sdk.list();
  expect(performance.now() - listedAt).toBeGreaterThanOrEqual(99);
});
