import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** What operators read. */
export const operations = (): Promise<string> => readFile(join(root, 'docs/operations.md'), 'utf8');

/** The texts of all sources in these folders, tests left out. */
export async function sourcesIn(...folders: string[]): Promise<string[]> {
  const texts = await Promise.all(
    folders.map(async (folder) => {
      const entries = await readdir(join(root, folder), { recursive: true });
      const files = entries.filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'));
      return Promise.all(files.map((file) => readFile(join(root, folder, file), 'utf8')));
    }),
  );
  return texts.flat();
}
