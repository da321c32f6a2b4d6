import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const SURENESS = ['live', 'documented', 'SDK', 'reported', 'assumed'];

async function sources(): Promise<string[]> {
  const found = await Promise.all(
    ['apps', 'packages', 'e2e'].map(async (folder) => {
      const entries = await readdir(join(root, folder), { recursive: true });
      return entries
        .filter((path) => path.endsWith('.ts') && !/node_modules|\bdist\b/.test(path))
        .map((path) => `${folder}/${path}`);
    }),
  );
  return found.flat();
}

it('gives each assumption of docs/cloudinary.md a source, a guard and tests that exist', async () => {
  const docs = await readFile(join(root, 'docs/cloudinary.md'), 'utf8');
  const tables = docs.slice(0, docs.indexOf("## Cloudinary's own tests"));
  const rows = [...tables.matchAll(/^\| (?!Assumption|---)(.+) \|$/gm)].map(([, row = '']) =>
    row.split(/(?<!\\) \| /),
  );
  expect(rows.length).toBeGreaterThan(50);
  const files = await sources();
  // `emulator/upload` names a file below a folder whose name has the first word.
  const exists = (name: string): boolean => {
    const words = name.split('/');
    const ending = new RegExp(`/${String(words.pop())}(\\.test)?\\.ts$`);
    return files.some((path) => ending.test(path) && words.every((word) => path.includes(word)));
  };
  const flaws = rows.flatMap(([assumption = '', source = '', sure = '', guard = '', tests = '', ...more]) => {
    const named = [...tests.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name);
    const isWhole = [assumption, source, guard].every((cell) => cell.trim() !== '') && more.length === 0;
    const isSure = SURENESS.some((word) => sure.startsWith(word));
    const isTested = tests === 'none' || (named.length > 0 && named.every(exists));
    return isWhole && isSure && isTested ? [] : [assumption];
  });
  expect(flaws).toEqual([]);
});
