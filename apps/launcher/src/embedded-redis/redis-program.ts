import { execFile } from 'node:child_process';
import { access, constants, readFile, rename, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { HoldfastError } from '@holdfast/foundation/errors';

/** A server binary. Redis and Valkey cannot always read the files of the other. */
export interface ServerProgram {
  kind: ServerKind;
  version: string;
  path: string;
}

export type ServerKind = 'redis' | 'valkey';

/** The multi-part append-only file, which the folder checks rely on, came with 7.0. */
const MINIMUM_VERSION = '7.0';

/** Kind and version from the output of `--version`. The file name proves nothing: some systems link one to the other. */
export function parseVersion(answer: string): Omit<ServerProgram, 'path'> | undefined {
  const match = /^(Redis|Valkey) server v=(\d+\.\d+\.\d+)/.exec(answer);
  if (match === null) return undefined;
  return { kind: match[1] === 'Redis' ? 'redis' : 'valkey', version: match[2] ?? '' };
}

/** Whether `version` is an older minor version than `other`. Patch versions never change the format. */
export function isOlderLine(version: string, other: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [otherMajor = 0, otherMinor = 0] = other.split('.').map(Number);
  return major < otherMajor || (major === otherMajor && minor < otherMinor);
}

const PROGRAM_NAMES = ['redis-server', 'valkey-server'];
const runProgram = promisify(execFile);

/** How to install a server by hand. The start script does it itself where it can. */
const INSTALL_HINT =
  'sudo apt-get install redis-server (Debian, Ubuntu), or brew install redis (macOS), or set REDIS_URL';

/** Which server wrote the folder last. */
interface RememberedServer {
  kind: ServerKind;
  version: string;
}

/** Every usable server on the search path, in its order. */
export async function listRedisServers(searchPath: string): Promise<readonly ServerProgram[]> {
  const found: ServerProgram[] = [];
  for (const folder of searchPath.split(delimiter).filter((entry) => entry !== '')) {
    for (const name of PROGRAM_NAMES) {
      const program = await describeProgram(join(folder, name));
      if (program !== undefined) found.push(program);
    }
  }
  return found;
}

/**
 * The server for a folder that `remembered` wrote (undefined for a new folder). Throws REDIS_SERVER_MISSING if there is none,
 * and DATA_DIR_INCOMPATIBLE if there are only servers that might not be able to read the folder.
 */
export function chooseRedisServer(
  available: readonly ServerProgram[],
  remembered: RememberedServer | undefined,
  directory: string,
): ServerProgram {
  const usable = available.filter((one) => !isOlderLine(one.version, MINIMUM_VERSION));
  const [first] = usable;
  if (first === undefined) {
    const [old] = available;
    const reason =
      old === undefined
        ? 'No Redis is configured, and there is no redis-server or valkey-server on PATH.'
        : `${old.path} is version ${old.version}; ${MINIMUM_VERSION} or newer is needed.`;
    throw new HoldfastError('REDIS_SERVER_MISSING', `${reason} Install one: ${INSTALL_HINT}`);
  }
  if (remembered === undefined) return first;
  const sameKind = usable.filter((one) => one.kind === remembered.kind);
  const fitting = sameKind.find((one) => !isOlderLine(one.version, remembered.version));
  if (fitting !== undefined) return fitting;
  const other = sameKind[0] ?? first;
  throw new HoldfastError(
    'DATA_DIR_INCOMPATIBLE',
    `${directory} was written by ${remembered.kind}-server ${remembered.version}, and ${other.path} is ` +
      `${other.kind}-server ${other.version}, which may not be able to read it. ` +
      `Install ${remembered.kind}-server ${remembered.version} or newer.`,
  );
}

async function describeProgram(path: string): Promise<ServerProgram | undefined> {
  try {
    await access(path, constants.X_OK);
    const { stdout } = await runProgram(path, ['--version'], { timeout: 10_000 });
    const version = parseVersion(stdout);
    return version === undefined ? undefined : { ...version, path };
  } catch {
    return undefined;
  }
}

const SERVER_FILE = 'server.json';

/** Undefined for a folder that none of our servers has opened yet. */
export async function recallServer(directory: string): Promise<RememberedServer | undefined> {
  try {
    const parsed = JSON.parse(
      await readFile(join(directory, SERVER_FILE), 'utf8'),
    ) as Partial<RememberedServer>;
    const { kind, version } = parsed;
    return (kind === 'redis' || kind === 'valkey') && typeof version === 'string'
      ? { kind, version }
      : undefined;
  } catch {
    return undefined;
  }
}

/** Written before the server opens the folder: from then on the files may be in its format. */
export async function rememberServer(directory: string, { kind, version }: ServerProgram): Promise<void> {
  const file = join(directory, SERVER_FILE);
  await writeFile(`${file}.next`, `${JSON.stringify({ kind, version })}\n`);
  await rename(`${file}.next`, file);
}
