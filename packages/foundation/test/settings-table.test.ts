import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { variables } from '../src/config/variables.js';

/** Set by the launcher for its children, never by people. */
const internal = new Set(['HOLDFAST_EMBEDDED_REDIS']);
const names = Object.keys(variables.shape).filter((name) => !internal.has(name));

const readRoot = (file: string): Promise<string> =>
  readFile(new URL(`../../../${file}`, import.meta.url), 'utf8');

/** The default as the table writes it; an empty cell where there is none, or where it depends. */
function defaultOf(name: string): string {
  const value = variables.parse({})[name as keyof typeof variables.shape];
  if (value === undefined || value === '') return '';
  if (Array.isArray(value)) return value.length === 0 ? '' : `\`${value.join(',')}\``;
  return `\`${JSON.stringify(value).replaceAll('"', '')}\``;
}

it('lists every setting with its default in docs/settings.md', async () => {
  const settings = await readRoot('docs/settings.md');
  const rows = [...settings.matchAll(/^\| `([A-Z_]+)` \|([^|]*)\| [^|]+ \|$/gm)].map(
    ([, name = '', value = '']) => [name, value.trim()],
  );
  expect(Object.fromEntries(rows)).toEqual(Object.fromEntries(names.map((name) => [name, defaultOf(name)])));
});

it('offers every setting in .env.example, and sets none', async () => {
  const lines = (await readRoot('.env.example')).split('\n').filter((line) => line.trim() !== '');
  const offered = lines.flatMap((line) => /^#([A-Z_]+)=/.exec(line)?.[1] ?? []);
  expect(offered.toSorted()).toEqual(names.toSorted());
  expect(lines.filter((line) => !line.startsWith('#'))).toEqual([]);
});
