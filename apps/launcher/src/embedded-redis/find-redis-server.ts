import { execFile } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { HoldfastError } from '@holdfast/shared/errors';
import type { RememberedServer } from './remembered-server.js';
import { isOlderLine, MINIMUM_VERSION, parseVersion, type ServerProgram } from './server-program.js';

const PROGRAM_NAMES = ['redis-server', 'valkey-server'];
const runProgram = promisify(execFile);

/** What a person types when there is no server; the start script does it by itself where it may. */
const INSTALL_HINT =
  'sudo apt-get install redis-server (Debian, Ubuntu), or brew install redis (macOS), or set REDIS_URL';

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
 * The server for a folder that `remembered` wrote (undefined: a new folder). Throws REDIS_SERVER_MISSING where there
 * is none, and DATA_DIR_INCOMPATIBLE where there are only others that might not read the folder.
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
