import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
/** A finding is written as its code and its severity, or as an entry of a table of findings. */
const FINDING = /code: '([A-Z_]+)',\s+severity\b|^ {2}([A-Z_]+): \{\s+severity: /gm;

async function sourcesIn(folder: string): Promise<string[]> {
  const entries = await readdir(join(root, folder), { recursive: true });
  const files = entries.filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'));
  return Promise.all(files.map((file) => readFile(join(root, folder, file), 'utf8')));
}

it('explains every finding in docs/operations.md, and none that there is not', async () => {
  const sources = (
    await Promise.all(['packages/shared/src', 'apps/api/src', 'apps/worker/src'].map(sourcesIn))
  ).flat();
  const codes = sources.flatMap((text) =>
    [...text.matchAll(FINDING)].map(([, inline, entry]) => inline ?? entry ?? ''),
  );
  const docs = await readFile(join(root, 'docs/operations.md'), 'utf8');
  const explained = [...docs.matchAll(/^\| `([A-Z_]+)` \| (?:error|warning|notice)/gm)].map(
    ([, code = '']) => code,
  );
  expect(codes.length).toBeGreaterThan(10);
  expect(explained.toSorted()).toEqual([...new Set(codes)].toSorted());
});
