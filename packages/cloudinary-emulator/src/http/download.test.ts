import { expect, test } from 'vitest';
import { setup } from '../testing/setup.js';

test('serves a private file under a signed address only, and lists it for its own delivery type', async () => {
  const { sdk, emulator } = await setup();
  const options = { ...sdk.account(), resource_type: 'raw', type: 'authenticated' } as const;
  const reply = await sdk.upload(Buffer.from('secret'), { ...options, public_id: 'backup/a' });
  const address = sdk.cloudinary.utils.private_download_url('backup/a', '', options);
  expect(await (await fetch(address)).text()).toBe('secret');
  expect((await fetch(reply.secure_url)).status).toBe(401);
  expect((await fetch(address.replace(/signature=./, 'signature=x'))).status).toBe(401);
  const missing = sdk.cloudinary.utils.private_download_url('backup/b', '', options);
  expect((await fetch(missing)).status).toBe(404);
  const listed = async (type: string) =>
    (await sdk.api.resources({ ...options, type, prefix: 'backup/' })).resources.map(
      (asset) => asset.public_id,
    );
  expect(await listed('authenticated')).toEqual(['backup/a']);
  expect(await listed('upload')).toEqual([]);
  expect((await emulator.requests.counters()).byEndpoint).toMatchObject({ download: 3 });
});

test('redirects a download to its own address or another one, and sends one slowly', async () => {
  const { sdk, emulator } = await setup();
  const options = { ...sdk.account(), resource_type: 'raw', type: 'authenticated' } as const;
  await sdk.upload(Buffer.alloc(1_000, 'a'), { ...options, public_id: 'backup/a' });
  const address = sdk.cloudinary.utils.private_download_url('backup/a', '', options);
  const match = { endpoint: 'download' };
  await emulator.faults.add({ kind: 'redirect', match });
  expect((await fetch(address)).redirected).toBe(true);
  await emulator.faults.add({ kind: 'redirect', to: 'http://elsewhere.test/x', status: 307, match });
  const elsewhere = await fetch(address, { redirect: 'manual' });
  expect([elsewhere.status, elsewhere.headers.get('location')]).toEqual([307, 'http://elsewhere.test/x']);
  await emulator.faults.add({ kind: 'slow-body', bytesPerSecond: 5_000, match });
  const startedAt = performance.now();
  expect((await (await fetch(address)).arrayBuffer()).byteLength).toBe(1_000);
  expect(performance.now() - startedAt).toBeGreaterThan(150);
});
