import { expect, it } from 'vitest';
import { emulatedHost } from '../testing/emulated-host.js';
import { putRequest } from '../testing/put-request.js';

it('removes again when the first try failed', async () => {
  const { host, emulator } = await emulatedHost();
  const { asset } = await host.put(putRequest());
  await emulator.faults.add({ kind: 'error', match: { endpoint: 'destroy' } });
  await expect(host.remove(asset)).rejects.toMatchObject({ code: 'HOST_REJECTED' });
  expect(await host.remove(asset)).toBe('removed');
});

it('finds no asset that exists only as a backup', async () => {
  const { host, emulator } = await emulatedHost();
  const { asset } = await host.put(putRequest());
  const backup = {
    asset_id: asset.assetId,
    public_id: asset.publicId,
    resource_type: asset.resourceType,
    version: asset.version,
    created_at: asset.createdAt,
    bytes: 0,
    secure_url: asset.url,
  };
  const match = { endpoint: 'explicit' };
  await emulator.faults.add({ kind: 'garbage', body: JSON.stringify(backup), count: null, match });
  expect(await host.find(asset)).toBeNull();
  await expect(host.annotate(asset, asset)).rejects.toMatchObject({ code: 'MEDIA_NOT_FOUND' });
  expect(host.health().reachable).toBe(true);
});
