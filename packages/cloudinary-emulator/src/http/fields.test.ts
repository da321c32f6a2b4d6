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

it.each(['query', 'urlencoded', 'multipart'] as const)('reads a %s so', async (kind) => {
  const { sdk, emulator } = await setup();
  await emulator.assets.put({ publicId: 'a', resourceType: 'image' });
  const authorization = `Basic ${Buffer.from(`${sdk.account().api_key}:${sdk.account().api_secret}`).toString('base64')}`;
  const base = `${emulator.url}/v1_1/${sdk.account().cloud_name}`;
  const ask = (pairs: [string, string][]): Promise<Response> => {
    if (kind === 'query')
      return fetch(`${base}/resources/image/upload?${new URLSearchParams(pairs).toString()}`, {
        headers: { authorization },
      });
    if (kind === 'urlencoded')
      return fetch(`${base}/resources/image/upload`, {
        method: 'DELETE',
        headers: { authorization },
        body: new URLSearchParams(pairs),
      });
    const form = new FormData();
    for (const [name, value] of pairs) form.append(name, value);
    return fetch(`${base}/image/explicit`, { method: 'POST', body: form });
  };
  expect(
    (
      await ask([
        ['public_ids', 'x'],
        ['public_ids[]', 'a'],
      ])
    ).status,
  ).toBe(400);
  if (kind === 'query') {
    const { resources } = (await (
      await ask([
        ['fields', 'bytes'],
        ['fields', 'format'],
      ])
    ).json()) as {
      resources: object[];
    };
    expect(resources[0]).not.toHaveProperty('bytes');
  }
  if (kind === 'urlencoded')
    expect(
      await (
        await ask([
          ['public_ids[]', 'x'],
          ['public_ids[]', 'a'],
        ])
      ).json(),
    ).toMatchObject({
      deleted: { x: 'not_found', a: 'deleted' },
    });
});
