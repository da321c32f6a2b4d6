import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const folders = [
  'packages/foundation/src',
  'packages/shared/src',
  'apps/api/src',
  'apps/worker/src',
  'apps/launcher/src',
];

/** As scripts spell them, after the hash tag. */
async function namesInScripts(): Promise<Set<string>> {
  const names = new Set<string>();
  for (const folder of folders)
    for (const file of await readdir(join(root, folder), { recursive: true })) {
      if (!file.endsWith('.ts') || file.endsWith('.test.ts')) continue;
      const text = await readFile(join(root, folder, file), 'utf8');
      for (const [, name = ''] of text.matchAll(/(?:\bp|\bKEYS\[1\]) \.\. '(:\w[^']*)'/g)) names.add(name);
    }
  return names;
}

it('lists every key that a script spells among the keys', async () => {
  const list = await readFile(join(root, 'packages/shared/src/redis/redis-keys.ts'), 'utf8');
  const listed = [...list.matchAll(/(?:\$\{p\}|`)(:[a-z]+(?::[a-z]+)*:?)/g)].map(([, name = '']) => name);
  const isListed = (name: string): boolean =>
    listed.some((known) => known === name || (known.endsWith(':') && name.startsWith(known)));
  const names = await namesInScripts();
  // It finds what is certainly there.
  expect([...names]).toEqual(expect.arrayContaining([':sync:lease', ':index:type:', ':tombstones']));
  expect([...names].filter((name) => !isListed(name))).toEqual([]);
});
