import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { defaults } from '../src/config/variables.js';

/** Set by the launcher for its children, never by people. */
const internal = new Set(['HOLDFAST_EMBEDDED_REDIS']);
const names = Object.keys(defaults).filter((name) => !internal.has(name));

const readRoot = (file: string): Promise<string> =>
  readFile(new URL(`../../../${file}`, import.meta.url), 'utf8');

it('lists every setting with its default in docs/settings.md', async () => {
  const settings = await readRoot('docs/settings.md');
  const rows = [...settings.matchAll(/^\| `([A-Z_]+)` \|([^|]*)\| [^|]+ \|$/gm)].map(
    ([, name = '', value = '']) => [name, value.trim()],
  );
  const told = names.map((name) => [name, defaults[name] ? `\`${defaults[name]}\`` : '']);
  expect(Object.fromEntries(rows)).toEqual(Object.fromEntries(told));
});

it('offers every setting in .env.example, and sets none', async () => {
  const lines = (await readRoot('.env.example')).split('\n').filter((line) => line.trim() !== '');
  const offered = lines.flatMap((line) => /^#([A-Z_]+)=/.exec(line)?.[1] ?? []);
  expect(offered.toSorted()).toEqual(names.toSorted());
  expect(lines.filter((line) => !line.startsWith('#'))).toEqual([]);
});
