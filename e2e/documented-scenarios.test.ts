import { readdir, readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const SCENARIOS = 21;
/** The name of a test or of a group of tests that belongs to a scenario. */
const LABELLED = /(?:\(|^\s*)'(S\d+: [^']+)'/gm;
const ROW = /^\| (S\d+) \| `([^`]+)` \| (.+?) \|$/gm;

async function testFiles(): Promise<string[]> {
  const folders = ['apps', 'packages', 'e2e', 'chaos'];
  const files = await Promise.all(
    folders.map(async (folder) => {
      const entries = await readdir(join(root, folder), { recursive: true, withFileTypes: true });
      return entries
        .filter(({ name, parentPath }) => name.endsWith('.test.ts') && !parentPath.includes('node_modules'))
        .map(({ name, parentPath }) => join(parentPath, name));
    }),
  );
  return files.flat();
}

async function labelledTests(): Promise<string[]> {
  const found = await Promise.all(
    (await testFiles()).map(async (file) =>
      [...(await readFile(file, 'utf8')).matchAll(LABELLED)].map(
        ([, name = '']) => `${relative(root, file)} ${name}`,
      ),
    ),
  );
  return found.flat();
}

it('names in docs/scenarios.md the tests of all scenarios, and every test that says it is one', async () => {
  const docs = await readFile(join(root, 'docs/scenarios.md'), 'utf8');
  const rows = [...docs.matchAll(ROW)].map(([, scenario = '', file = '', name = '']) => ({
    scenario,
    place: `${file} ${scenario}: ${name}`,
  }));
  expect(rows.map(({ place }) => place).toSorted()).toEqual((await labelledTests()).toSorted());
  expect([...new Set(rows.map(({ scenario }) => scenario))].toSorted()).toEqual(
    Array.from({ length: SCENARIOS }, (_unused, index) => `S${String(index + 1)}`).toSorted(),
  );
});
