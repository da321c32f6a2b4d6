import { expect, it } from 'vitest';
import { changedAssets } from './receive-notification.js';

const named = { public_id: 'cats/tom', resource_type: 'image', type: 'upload', asset_id: 'a1', version: 7 };
const tom = { publicId: 'cats/tom', resourceType: 'image', assetId: 'a1', version: 7 };

it.each([
  ['an upload', { notification_type: 'upload', ...named }, 'uploaded', [tom]],
  ['a deletion of one', { notification_type: 'delete', resources: [named] }, 'deleted', [tom]],
  [
    'a deletion of several',
    { notification_type: 'delete', resources: [named, { ...named, asset_id: 'a2', version: '8' }] },
    'deleted',
    [tom, { ...tom, assetId: 'a2', version: 8 }],
  ],
  [
    'a rename, by the new name',
    {
      ...named,
      notification_type: 'rename',
      public_id: undefined,
      from_public_id: 'x',
      to_public_id: 'cats/tom',
    },
    'changed',
    [tom],
  ],
  [
    'tags, in a list',
    { notification_type: 'resource_tags_changed', resources: [{ ...named, added: ['a'], removed: [] }] },
    'changed',
    [tom],
  ],
  [
    'context, keyed by public id',
    {
      notification_type: 'resource_context_changed',
      resources: { 'cats/tom': { ...named, public_id: undefined, added: [{ name: 'a', value: 'b' }] } },
    },
    'changed',
    [tom],
  ],
  [
    'context, in a list',
    { notification_type: 'resource_context_changed', resources: [{ ...named, added: { a: 'b' } }] },
    'changed',
    [tom],
  ],
  [
    'an upload without asset id and version',
    { notification_type: 'upload', public_id: 'cats/tom', resource_type: 'image' },
    'uploaded',
    [{ ...tom, assetId: null, version: null }],
  ],
])('reads %s', (_what, body, change, assets) => {
  const given = Object.fromEntries(
    Object.entries(body).map(([key, value]) => [key, JSON.parse(JSON.stringify(value ?? null)) as unknown]),
  );
  expect(changedAssets(given)).toEqual({ change, assets });
});

it.each(['eager', 'moderation', 'create_folder', 'something_new', 'toString', '__proto__', 7, undefined])(
  'has no use for the event %j',
  (type) => {
    expect(changedAssets({ notification_type: type, resources: [named], ...named })).toBeNull();
  },
);

it.each([
  ['another way of delivery', [{ ...named, type: 'private' }]],
  ['an unknown resource type', [{ ...named, resource_type: 'model' }]],
  ['no name', [{ ...named, public_id: '' }]],
  ['nothing', [null, 7, 'x']],
  ['no list', 'x'],
  ['nothing at all', undefined],
])('leaves out entries with %s', (_what, resources) => {
  expect(changedAssets({ notification_type: 'delete', resources })).toEqual({
    change: 'deleted',
    assets: [],
  });
});
