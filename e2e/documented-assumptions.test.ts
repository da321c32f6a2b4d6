import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));

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

/** The tables of assumptions of one document, as lists of cells; other tables have another first column. */
async function assumptionsOf(document: string): Promise<string[][]> {
  const text = await readFile(join(root, document), 'utf8');
  const tables = text.match(/^\| Assumption \|.*\n(?:\|.*\n)+/gm) ?? [];
  return tables.flatMap((table) =>
    table
      .trim()
      .split('\n')
      .slice(2)
      .map((row) => row.slice(2, -2).split(/(?<!\\) \| /)),
  );
}

const namesIn = (cell: string): string[] => [...cell.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name);

// `emulator/upload` names a file below a folder whose name has the first word.
function isAmong(files: readonly string[], name: string): boolean {
  const words = name.split('/');
  const ending = `/${String(words.pop())}.ts`;
  return files.some((path) => path.endsWith(ending) && words.every((word) => path.includes(word)));
}

it.each([
  {
    document: 'docs/cloudinary.md',
    atLeast: 50,
    sureness: ['live', 'documented', 'SDK', 'reported', 'assumed'],
    guardsAreFiles: false,
  },
  {
    document: 'docs/redis.md',
    atLeast: 10,
    sureness: ['tried', 'documented', 'reported', 'assumed'],
    guardsAreFiles: true,
  },
])(
  'gives each assumption of $document a source, a guard and tests that exist',
  async ({ document, atLeast, sureness, guardsAreFiles }) => {
    const rows = await assumptionsOf(document);
    expect(rows.length).toBeGreaterThan(atLeast);
    const files = await sources();
    const isTest = (name: string): boolean => isAmong(files, `${name}.test`) || isAmong(files, name);
    const flaws = rows.flatMap(
      ([assumption = '', source = '', sure = '', guard = '', tests = '', ...more]) => {
        const isWhole = [assumption, source, guard].every((cell) => cell.trim() !== '') && more.length === 0;
        const isSure = sureness.some((word) => sure.startsWith(word));
        const named = namesIn(tests);
        const isTested = tests === 'none' || (named.length > 0 && named.every(isTest));
        // The files come first, before a colon that says what they do.
        const guards = namesIn(/^((?:`[a-z-]+`(?:, )?)+): /.exec(guard)?.[1] ?? '');
        const isGuarded =
          !guardsAreFiles || (guards.length > 0 && guards.every((name) => isAmong(files, name)));
        return isWhole && isSure && isTested && isGuarded ? [] : [assumption];
      },
    );
    expect(flaws).toEqual([]);
  },
);
