import { readFileSync, readlinkSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { identify, isRunning } from '../processes/process-identity.js';
import { REDIS_ROLE } from '../processes/process-registry.js';
import { readRunningFile, type RunningEntry } from '../processes/running-file.js';
import { PID_FILE } from './server-configuration.js';

/**
 * The processes that an earlier start left running: those that it wrote down and that were born when it says, and a
 * server that works in this folder. Nobody is found by name.
 */
export function findRemains(directory: string, listFile: string): readonly RunningEntry[] {
  const listed = readRunningFile(listFile).filter((one) => isRunning(one));
  const server = serverAtWork(directory);
  return server === undefined || listed.some((one) => one.pid === server.pid) ? listed : [...listed, server];
}

/** By the number that the server wrote; believed only when that process has its working directory here. */
function serverAtWork(directory: string): RunningEntry | undefined {
  try {
    const pid = Number(readFileSync(join(directory, PID_FILE), 'utf8').trim());
    if (readlinkSync(`/proc/${String(pid)}/cwd`) !== realpathSync(directory)) return undefined;
    const identity = identify(pid);
    return identity === undefined ? undefined : { role: REDIS_ROLE, ...identity };
  } catch {
    return undefined;
  }
}
