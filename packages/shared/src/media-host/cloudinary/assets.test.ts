import { expect, it } from 'vitest';
import { emulatedHost } from '../testing/emulated-host.js';
import { putRequest } from '../testing/put-request.js';
import { encodeContext } from './assets.js';

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

it.each([
  ['separators', { a: 'x=y|z' }, String.raw`a=x\=y\|z`],
  ['backslashes', { path: String.raw`c:\dir\file`, b: 'c' }, String.raw`path=c:\dir\file|b=c`],
  ['a backslash before a separator', { a: String.raw`x\|y` }, String.raw`a=x\\|y`],
  ['a value that ends in a backslash', { a: 'c:\\', b: 'd' }, 'b=d|a=c:\\'],
  ['an empty value', { a: '', b: 'c' }, 'a=|b=c'],
])('encodes %s', (_case, context, text) => {
  expect(encodeContext(context)).toBe(text);
});

it.each([
  ['a key with a separator', { 'a=b': 'c' }],
  ['a key with a backslash', { 'a\\': 'c' }],
  ['two values that end in a backslash', { a: 'c:\\', b: 'd:\\' }],
])('refuses %s', (_case, context) => {
  expect(() => encodeContext(context)).toThrow(expect.objectContaining({ code: 'HOST_CONTEXT_UNWRITABLE' }));
});
