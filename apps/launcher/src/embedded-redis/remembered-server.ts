import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ServerKind, ServerProgram } from './server-program.js';

/** Which server wrote the folder last. */
export interface RememberedServer {
  kind: ServerKind;
  version: string;
}

const FILE = 'server.json';

/** Undefined for a folder that no server of ours has opened yet. */
export async function recallServer(directory: string): Promise<RememberedServer | undefined> {
  try {
    const parsed = JSON.parse(await readFile(join(directory, FILE), 'utf8')) as Partial<RememberedServer>;
    const { kind, version } = parsed;
    return (kind === 'redis' || kind === 'valkey') && typeof version === 'string'
      ? { kind, version }
      : undefined;
  } catch {
    return undefined;
  }
}

/** Written before the server opens the folder: from then on its files may be in the server's format. */
export async function rememberServer(directory: string, { kind, version }: ServerProgram): Promise<void> {
  const file = join(directory, FILE);
  await writeFile(`${file}.next`, `${JSON.stringify({ kind, version })}\n`);
  await rename(`${file}.next`, file);
}
