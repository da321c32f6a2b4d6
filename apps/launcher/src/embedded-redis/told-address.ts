import { readFileSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isRunning } from '../processes/process-identity.js';
import { REDIS_ROLE } from '../processes/process-registry.js';
import { PROCESSES_FILE, readRunningFile } from '../processes/running-file.js';
import { addressSetting, type ServerAddress } from './server-address.js';

const FILE = 'redis.address';

/**
 * Leaves word where the server will listen, for the commands of the same user. To be called before the server is launched:
 * the address of a server that runs is then never an older one.
 */
export async function tellAddress(directory: string, address: ServerAddress): Promise<void> {
  const file = join(directory, FILE);
  // It may hold a password.
  await writeFile(`${file}.next`, `${addressSetting(address)}\n`, { mode: 0o600 });
  await rename(`${file}.next`, file);
}

/** Where the server of this folder listens. Undefined while it does not run: its port may then be a stranger's. */
export function toldAddress(directory: string): string | undefined {
  const listed = readRunningFile(join(directory, PROCESSES_FILE));
  if (!listed.some((one) => one.role === REDIS_ROLE && isRunning(one))) return undefined;
  try {
    return readFileSync(join(directory, FILE), 'utf8').trim();
  } catch {
    return undefined;
  }
}
