import { expect, it } from 'vitest';
import { setup } from '../testing/setup.js';
import { addField, type Fields } from './fields.js';

function read(...pairs: [name: string, value: string][]): Fields {
  const fields: Fields = {};
  for (const [name, value] of pairs) addField(fields, name, value);
  return fields;
}

it('reads parameters as Rack does', () => {
  expect(read(['a', '1'], ['a', '2'])).toEqual({ a: '2' });
  expect(read(['a[]', '1'], ['a[]', '2'], ['b[]', '3'])).toEqual({ a: ['1', '2'], b: ['3'] });
  expect(() => read(['a', '1'], ['a[]', '2'])).toThrow('expected Array (got String)');
  expect(() => read(['a[]', '1'], ['a', '2'])).toThrow('expected String (got Array)');
});

const bothWays: [string, string][] = [
  ['public_ids', 'x'],
  ['public_ids[]', 'a'],
];

it('does so with queries, urlencoded bodies and forms', async () => {
  const { sdk, emulator } = await setup();
  const { api_key: key, api_secret: secret, cloud_name: cloud } = sdk.account();
  await emulator.assets.put({ publicId: 'a', resourceType: 'image' });
  const headers = { authorization: `Basic ${Buffer.from(`${key}:${secret}`).toString('base64')}` };
  const list = `${emulator.url}/v1_1/${cloud}/resources/image/upload`;
  const query = (pairs: [string, string][]) =>
    fetch(`${list}?${new URLSearchParams(pairs).toString()}`, { headers });
  const body = (pairs: [string, string][]) =>
    fetch(list, { method: 'DELETE', headers, body: new URLSearchParams(pairs) });
  const form = new FormData();
  for (const [name, value] of bothWays) form.append(name, value);
  const posted = await fetch(`${emulator.url}/v1_1/${cloud}/image/explicit`, { method: 'POST', body: form });
  for (const { status } of [await query(bothWays), await body(bothWays), posted]) expect(status).toBe(400);

  const picked = await query([
    ['fields', 'bytes'],
    ['fields', 'format'],
  ]);
  const { resources } = (await picked.json()) as { resources: object[] };
  expect(resources).toHaveLength(1);
  expect(resources[0]).not.toHaveProperty('bytes');
  const deleted = await body([
    ['public_ids[]', 'x'],
    ['public_ids[]', 'a'],
  ]);
  expect(await deleted.json()).toMatchObject({ deleted: { x: 'not_found', a: 'deleted' } });
});
