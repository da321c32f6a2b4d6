import { expect, test } from 'vitest';
import { eventually } from '../testing/eventually.js';
import { png } from '../testing/png.js';
import { setup } from '../testing/setup.js';
import { webhookReceiver } from '../testing/webhook-receiver.js';

test('notifies of each change, signed as the SDK verifies it', async () => {
  const { received, url } = await webhookReceiver();
  const { sdk } = await setup({ webhookTargets: [url] });
  const sent = await sdk.upload(png(1, 1), { public_id: 'a', tags: ['old'], context: { k: '1', gone: 'x' } });
  await eventually(() => expect(received).toHaveLength(1));
  await sdk.uploader.replace_tag('new', ['a'], sdk.account());
  await eventually(() => expect(received).toHaveLength(2));
  await sdk.cloudinary.uploader.explicit('a', {
    ...sdk.account(),
    type: 'upload',
    context: { k: '2', n: '3' },
  });
  await eventually(() => expect(received).toHaveLength(3));
  await sdk.uploader.rename('a', 'b', sdk.account());
  await eventually(() => expect(received).toHaveLength(4));
  await sdk.uploader.destroy('b', sdk.account());
  await eventually(() => expect(received).toHaveLength(5));

  const identity = { asset_id: sent['asset_id'], resource_type: 'image', type: 'upload' };
  expect(received.map(({ body }) => body)).toMatchObject([
    { notification_type: 'upload', public_id: 'a', version: sent.version, etag: sent.etag },
    {
      notification_type: 'resource_tags_changed',
      resources: [{ ...identity, added: ['new'], removed: ['old'] }],
    },
    {
      notification_type: 'resource_context_changed',
      resources: {
        a: {
          ...identity,
          added: [{ name: 'n', value: '3' }],
          removed: [{ name: 'gone', value: 'x' }],
          updated: [{ name: 'k', value: '2' }],
        },
      },
    },
    { notification_type: 'rename', ...identity, from_public_id: 'a', to_public_id: 'b' },
    { notification_type: 'delete', resources: [{ ...identity, public_id: 'b', version: sent.version }] },
  ]);
  for (const { raw, timestamp, signature } of received) {
    const expected = sdk.cloudinary.utils.webhook_signature(raw, Number(timestamp), {
      api_secret: sdk.account().api_secret,
      signature_algorithm: 'sha1',
    });
    expect(signature).toBe(expected);
  }
});

test('uses the address of the call, and sends nothing for a read', async () => {
  const { received, url } = await webhookReceiver();
  const { sdk, emulator } = await setup();
  await sdk.upload(png(1, 1), { public_id: 'a', notification_url: url });
  await eventually(() => expect(received).toHaveLength(1));
  await emulator.configure({ webhookTargets: [url] });
  await sdk.cloudinary.uploader.explicit('a', { ...sdk.account(), type: 'upload' });
  await sdk.upload(png(1, 1), { public_id: 'a', overwrite: false });
  expect(await emulator.webhooks.pending()).toBe(0);
  expect(received).toHaveLength(1);
});

test('repeats what was not answered by 2xx, three times at most, with the same request id', async () => {
  const { received, url } = await webhookReceiver([500, 404, 302, 500]);
  const { sdk, emulator } = await setup({ webhookTargets: [url], webhookRetryDelaysMs: [1, 2, 3] });
  await sdk.upload(png(1, 1), { public_id: 'a' });
  await eventually(async () => expect(await emulator.webhooks.pending()).toBe(0));
  expect((await emulator.webhooks.deliveries()).map(({ attempt, status }) => [attempt, status])).toEqual([
    [1, 500],
    [2, 404],
    [3, 302],
    [4, 500],
  ]);
  expect(new Set(received.map(({ body }) => body.request_id)).size).toBe(1);
});

test('drops, doubles and holds back notifications on demand', async () => {
  const { received, url } = await webhookReceiver();
  const { sdk, emulator } = await setup({ webhookTargets: [url] });
  const types = () => received.map(({ body }) => body.notification_type);
  await emulator.webhooks.addFault({ kind: 'drop', event: 'upload' });
  await emulator.webhooks.addFault({ kind: 'duplicate', event: 'resource_tags_changed' });
  await emulator.webhooks.addFault({ kind: 'reorder', event: 'rename', ms: 1000 });
  await sdk.upload(png(1, 1), { public_id: 'a' });
  await sdk.uploader.add_tag('t', ['a'], sdk.account());
  await eventually(() => expect(types()).toEqual(['resource_tags_changed', 'resource_tags_changed']));
  expect(received[0]?.body.request_id).toBe(received[1]?.body.request_id);
  await sdk.uploader.rename('a', 'b', sdk.account());
  await sdk.uploader.destroy('b', sdk.account());
  await eventually(() => expect(types().slice(2)).toEqual(['delete', 'rename']));
});

test('notifies of what happens in the Media Library, unless it is to be quiet', async () => {
  const { received, url } = await webhookReceiver();
  const { emulator } = await setup({ webhookTargets: [url] });
  const asset = await emulator.assets.put({ publicId: 'a', resourceType: 'image', content: png(2, 1) });
  expect(asset).toMatchObject({ width: 2, format: 'png' });
  await eventually(() => expect(received).toHaveLength(1));
  await emulator.assets.edit(asset.assetId, { tags: ['quiet'] }, { quiet: true });
  await emulator.assets.remove(asset.assetId);
  await eventually(() => expect(received).toHaveLength(2));
  expect(received.map(({ body }) => body.notification_type)).toEqual(['upload', 'delete']);
});
