import { expect, test } from 'vitest';
import { eventually } from './testing/eventually.js';
import { png } from './testing/png.js';
import { setup } from './testing/setup.js';

test('answers uploads and listings after their own delays, with the work done before', async () => {
  const { sdk, emulator } = await setup({ responseDelayMs: 700, listDelayMs: 100 });
  const startedAt = performance.now();
  let answered = false;
  const upload = sdk.upload(png(1, 1)).then(() => (answered = true));
  await eventually(async () => expect(await emulator.assets.count()).toBe(1));
  expect(answered).toBe(false);
  await upload;
  expect(performance.now() - startedAt).toBeGreaterThanOrEqual(699);
  const listedAt = performance.now();
  await sdk.list();
  expect(performance.now() - listedAt).toBeGreaterThanOrEqual(99);
});
