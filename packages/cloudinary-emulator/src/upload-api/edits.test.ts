import { expect, test } from 'vitest';
import { png } from '../testing/png.js';
import { failure } from '../testing/sdk-for.js';
import { setup } from '../testing/setup.js';

test('explicit reads an asset, and replaces tags and context only where the call has them', async () => {
  const { sdk, emulator } = await setup();
  await sdk.upload(png(1, 1), { public_id: 'a', tags: ['t'], context: { k: 'v' } });
  const read = await sdk.cloudinary.uploader.explicit('a', { ...sdk.account(), type: 'upload' });
  expect(read).toMatchObject({ tags: ['t'], context: { custom: { k: 'v' } } });
  const edited = await sdk.cloudinary.uploader.explicit('a', {
    ...sdk.account(),
    type: 'upload',
    context: { other: 'w' },
  });
  expect(edited).toMatchObject({ tags: ['t'], context: { custom: { other: 'w' } }, version: read.version });
  expect((await emulator.requests.counters()).byEndpoint).toEqual({ upload: 1, explicit: 2 });
});

test('explicit adds to tags and context in the other reading', async () => {
  const { sdk } = await setup({ explicitEdits: 'merges' });
  await sdk.upload(png(1, 1), { public_id: 'a', tags: ['t'], context: { k: 'v', l: 'x' } });
  const edited = await sdk.cloudinary.uploader.explicit('a', {
    ...sdk.account(),
    type: 'upload',
    tags: ['u'],
    context: { k: 'w' },
  });
  expect(edited).toMatchObject({ tags: ['t', 'u'], context: { custom: { k: 'w', l: 'x' } } });
});

test('explicit answers 404 for an unknown asset and for one of another resource type', async () => {
  const { sdk } = await setup();
  await sdk.upload(png(1, 1), { public_id: 'a' });
  const call = sdk.cloudinary.uploader.explicit('a', {
    ...sdk.account(),
    type: 'upload',
    resource_type: 'video',
  });
  expect(await failure(call)).toEqual({ message: 'Resource not found - a', http_code: 404 });
});

test('destroy removes asset and bytes once, and then says that there is none', async () => {
  const { sdk, emulator } = await setup();
  const reply = await sdk.upload(png(1, 1), { public_id: 'a' });
  const options = { ...sdk.account(), resource_type: 'image', invalidate: true };
  expect(await sdk.uploader.destroy('a', options)).toEqual({ result: 'ok' });
  expect(await sdk.uploader.destroy('a', { ...options })).toEqual({ result: 'not found' });
  expect((await fetch(reply.secure_url)).status).toBe(404);
  expect(await emulator.assets.bytes(String(reply['asset_id']))).toBeNull();
});

test('rename keeps asset id and bytes, and does not take an id in use', async () => {
  const { sdk } = await setup();
  const a = await sdk.upload(png(1, 1), { public_id: 'a' });
  await sdk.upload(png(2, 2), { public_id: 'b' });
  const taken = sdk.uploader.rename('a', 'b', sdk.account());
  expect(await failure(taken)).toEqual({ message: 'to_public_id (b) already exists', http_code: 400 });
  const renamed = await sdk.uploader.rename('a', 'c/d', sdk.account());
  expect(renamed).toMatchObject({ public_id: 'c/d', asset_id: a['asset_id'], version: a.version });
  const missing = sdk.uploader.rename('a', 'e', sdk.account());
  expect(await failure(missing)).toEqual({ message: 'Resource not found - a', http_code: 404 });
});

test('rename shows context and metadata only when asked, and never edits them', async () => {
  const { sdk, emulator } = await setup();
  await sdk.upload(png(1, 1), { public_id: 'a', tags: ['t'], context: { k: 'v' }, metadata: { f: '1' } });
  const plain = await sdk.uploader.rename('a', 'b', sdk.account());
  expect(plain).toMatchObject({ public_id: 'b', tags: ['t'] });
  expect(plain).not.toHaveProperty('context');
  expect(plain).not.toHaveProperty('metadata');
  const asked = { ...sdk.account(), context: true, metadata: true };
  expect(await sdk.uploader.rename('b', 'c', asked)).toMatchObject({
    context: { custom: { k: 'v' } },
    metadata: { f: '1' },
  });
  expect(await emulator.assets.get('image', 'c')).toMatchObject({
    context: { k: 'v' },
    metadata: { f: '1' },
  });
});

test('metadata is merged field by field', async () => {
  const { sdk, emulator } = await setup();
  await sdk.upload(png(1, 1), { public_id: 'a', metadata: { f: '1', g: 'x' } });
  await sdk.uploader.update_metadata('g=y|h=["p","q"]', ['a'], sdk.account());
  expect((await emulator.assets.get('image', 'a'))?.metadata).toEqual({ f: '1', g: 'y', h: ['p', 'q'] });
});

test('tags and context commands add, remove and clear', async () => {
  const { sdk, emulator } = await setup();
  await sdk.upload(png(1, 1), { public_id: 'a', tags: ['x'], context: { k: '1' } });
  const { uploader } = sdk;
  const stored = async () => emulator.assets.get('image', 'a');
  await uploader.add_tag('y,z', ['a', 'unknown'], sdk.account());
  expect((await stored())?.tags).toEqual(['x', 'y', 'z']);
  await uploader.remove_tag('x', ['a'], sdk.account());
  await uploader.replace_tag('only', ['a'], sdk.account());
  expect((await stored())?.tags).toEqual(['only']);
  await uploader.add_context('n=a\\=b', ['a'], sdk.account());
  expect((await stored())?.context).toEqual({ k: '1', n: 'a=b' });
  await uploader.remove_all_context(['a'], sdk.account());
  expect((await stored())?.context).toEqual({});
});
