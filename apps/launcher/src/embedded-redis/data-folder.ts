import { readFileSync, readlinkSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { makeDataFolder } from '@holdfast/foundation/config';
import { HoldfastError } from '@holdfast/foundation/errors';
import type { Logger } from '@holdfast/foundation/logging';
import { type FileLock, lockFile, lockHolder } from '../processes/file-lock.js';
import {
  allGone,
  END_LEFT_MS,
  endLeft,
  identify,
  isRunning,
  PROCESSES_FILE,
  readRunningFile,
  REDIS_ROLE,
  runningFile,
  type ProcessRegistry,
  type RunningEntry,
} from '../processes/processes.js';
import { PID_FILE } from './redis-server.js';

/** The embedded server's folder, open to this launcher alone. */
export interface DataFolder {
  directory: string;
  /** Inherited by the server and the guard. */
  lockFd: number;
  registry: ProcessRegistry;
  /** From now on the next start waits for this one instead of being refused. */
  announceClose(): void;
  close(): void;
}

/** Its place below DATA_DIR. */
export const redisFolder = (dataDir: string): string => join(dataDir, 'redis');

const POLL_MS = 50;
/** Longer than any orderly stop. */
const CLOSING_MS = 60_000;

/**
 * Opens the folder for this start alone. Ends first what an earlier start left running on it.
 * Throws DATA_DIR_IN_USE while another launcher runs or another process has the folder open, and REDIS_START_FAILED if the
 * folder cannot be used.
 *
 * There are two locks. `launcher.lock` is held by the launcher alone and shows whether one runs; `processes.lock` is
 * inherited by the server and the guard and shows whether any process is left.
 */
export function openDataFolder(directory: string, log: Logger): Promise<DataFolder> {
  return inDataFolder(directory, () => openFolder(directory, log));
}

async function openFolder(directory: string, log: Logger): Promise<DataFolder> {
  await makeDataFolder(directory, 0o700).catch((error: unknown) => {
    throw new HoldfastError('REDIS_START_FAILED', `The folder ${directory} cannot be made`, { cause: error });
  });
  const listFile = join(directory, PROCESSES_FILE);
  const launcherLock = await lockForLauncher(join(directory, 'launcher.lock'), directory, log);
  try {
    await endOrphans(findOrphans(directory, listFile), log);
    const processesLock = await lockForProcesses(join(directory, 'processes.lock'), directory);
    return {
      directory,
      lockFd: processesLock.fd,
      registry: runningFile(listFile, log),
      announceClose: () => launcherLock.announceRelease(),
      close: () => {
        processesLock.release();
        launcherLock.release();
      },
    };
  } catch (error) {
    launcherLock.release();
    throw error;
  }
}

async function lockForLauncher(file: string, directory: string, log: Logger): Promise<FileLock> {
  const until = performance.now() + CLOSING_MS;
  for (let waited = false; ; waited = true) {
    const lock = lockFile(file);
    if (lock !== undefined) return lock;
    const holder = lockHolder(file);
    if (!holder.releasing || performance.now() >= until) {
      throw new HoldfastError(
        'DATA_DIR_IN_USE',
        `${directory} is in use by another start of Holdfast (process ${holder.pid}). ` +
          'Stop that one first, or give this one another DATA_DIR.',
      );
    }
    if (!waited) log.info('folder.waiting', { directory, stoppingPid: holder.pid });
    await delay(POLL_MS);
  }
}

/** Ends what a killed start left running, the API and the worker before Redis. */
async function endOrphans(left: readonly RunningEntry[], log: Logger): Promise<void> {
  if (left.length === 0) return;
  log.warn('remains.found', { processes: left.map(({ role, pid }) => ({ role, pid })) });
  // A guard that still runs is already ending the others, in the right order.
  if (left.some(({ role }) => role === 'guard')) await allGone(left, END_LEFT_MS);
  await endLeft(left);
  log.info('remains.ended', { count: left.length });
}

const SETTLE_MS = 2_000;

/** The lock that those processes held. Throws DATA_DIR_IN_USE while another process has the folder open. */
async function lockForProcesses(file: string, directory: string): Promise<FileLock> {
  const until = performance.now() + SETTLE_MS;
  for (;;) {
    const lock = lockFile(file);
    if (lock !== undefined) return lock;
    if (performance.now() >= until)
      throw new HoldfastError(
        'DATA_DIR_IN_USE',
        `${directory} is held open by a process that Holdfast must not end.`,
      );
    await delay(POLL_MS);
  }
}

/**
 * The processes that an earlier start left running: those in its list whose start time matches, and a server that runs in
 * this folder. Stale pids may belong to other programs, and no process is found by name.
 */
function findOrphans(directory: string, listFile: string): readonly RunningEntry[] {
  const listed = readRunningFile(listFile).filter((one) => isRunning(one));
  const server = serverAtWork(directory);
  return server === undefined || listed.some((one) => one.pid === server.pid) ? listed : [...listed, server];
}

/** From the pid file of the server, if that process has its working directory here. */
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

/**
 * Runs the work and adds the folder to errors of the system, which name no file for a write to an open one (a full disk).
 * Throws REDIS_START_FAILED for those, and passes other errors on.
 */
export async function inDataFolder<T>(directory: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!isSystemError(error)) throw error;
    throw new HoldfastError('REDIS_START_FAILED', `The folder ${directory} cannot be used`, { cause: error });
  }
}

function isSystemError(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error;
}
