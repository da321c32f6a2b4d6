import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
/** Of other programs. */
const NOT_OURS = ['allowBuilds'];
const FENCED = /^```.*?^```/gms;
const CODE_SPAN = /`([^`\n]+)`/g;
const FILE = /^[\w./-]+\.ts$/;
/** `camelCase`, also called or as a member: `catalog.saveMany`, `createBarrier().confirm`. */
const NAME = /^(?:\w+(?:\(\))?\.)?([a-z]+[A-Z]\w*)(?:\(.*\))?$/;

async function filesIn(folder: string, ending: string): Promise<string[]> {
  const entries = await readdir(join(root, folder), { recursive: true });
  return entries
    .filter((path) => path.endsWith(ending) && !/node_modules|\bdist\b/.test(path))
    .map((path) => join(folder, path));
}

const documents = [
  'docs/architecture.md',
  'docs/states.md',
  'docs/sync.md',
  ...(await filesIn('docs/decisions', '.md')),
];
const folders = ['apps', 'packages', 'bench', 'chaos', 'interleave', 'e2e'];
const files = (await Promise.all(folders.map((folder) => filesIn(folder, '.ts')))).flat();
const sources = await Promise.all(
  files
    .filter((path) => !path.endsWith('documented-names.test.ts'))
    .map((path) => readFile(join(root, path), 'utf8')),
);
const words = new Set(sources.flatMap((text) => text.match(/\w+/g) ?? []));

const isThere = (span: string): boolean => {
  if (FILE.test(span)) return files.some((path) => `/${path}`.endsWith(`/${span}`));
  const [, name] = NAME.exec(span) ?? [];
  return name === undefined || words.has(name) || NOT_OURS.includes(name);
};

it.each(documents)('names no file and no function in %s that does not exist', async (document) => {
  const text = (await readFile(join(root, document), 'utf8')).replace(FENCED, '');
  const spans = [...text.matchAll(CODE_SPAN)].map(([, span = '']) => span);
  expect(spans.filter((span) => !isThere(span))).toEqual([]);
});
