import { expect, it } from 'vitest';
import { emulatedHost } from '../testing/emulated-host.js';
import { putRequest } from '../testing/put-request.js';

it('reads texts of several bytes a character unharmed out of long answers', async () => {
  const { host } = await emulatedHost();
  const tags = Array.from({ length: 50 }, (_, index) => `${'漢'.repeat(98)}${String(index + 10)}`);
  const metadata = { context: { hf: '1' }, tags };
  for (let count = 0; count < 40; count += 1) await host.put(putRequest({ metadata }));
  const { signal } = new AbortController();
  const { assets } = await host.list({ resourceType: 'image', cursor: null, limit: 500, signal });
  expect(assets).toHaveLength(40);
  expect(assets.flatMap((asset) => asset.tags).filter((tag) => !tags.includes(tag))).toEqual([]);
});
