import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from '@holdfast/foundation/logging';

/** A process and its start time: the pid alone may by now belong to another process. */
interface ProcessIdentity {
  pid: number;
  birth: string;
}

const BOOT_ID = '/proc/sys/kernel/random/boot_id';

/** The process with this pid now; undefined if there is none, or a zombie. */
export function identify(pid: number): ProcessIdentity | undefined {
  try {
    const birth = existsSync(BOOT_ID) ? startFromProc(pid) : startFromPs(pid);
    return birth === undefined ? undefined : { pid, birth };
  } catch {
    return undefined;
  }
}

/** Whether that very process still runs. */
export function isRunning(identity: ProcessIdentity): boolean {
  return identify(identity.pid)?.birth === identity.birth;
}

/** Sends a signal to that very process; false when it is gone. */
function signalProcess(identity: ProcessIdentity, signal: NodeJS.Signals): boolean {
  if (!isRunning(identity)) return false;
  try {
    return process.kill(identity.pid, signal);
  } catch {
    return false;
  }
}

function startFromProc(pid: number): string | undefined {
  const stat = readFileSync(`/proc/${String(pid)}/stat`, 'utf8');
  // The name in parentheses may contain anything, so count from its end: state is field 1, start time field 20.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state, startTime] = [fields[0], fields[19]];
  if (state === undefined || startTime === undefined || state === 'Z' || state === 'X') return undefined;
  return `${readFileSync(BOOT_ID, 'utf8').trim()} ${startTime}`;
}

function startFromPs(pid: number): string | undefined {
  const line = execFileSync('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  }).trim();
  const [state, ...birth] = line.split(/\s+/);
  return state === undefined || state === '' || state.startsWith('Z') ? undefined : birth.join(' ');
}

const POLL_MS = 25;

/** SIGTERM to all of them, SIGKILL to those still there after `softMs`. Resolves when none is left. */
export async function endProcesses(processes: readonly ProcessIdentity[], softMs: number): Promise<void> {
  for (const one of processes) signalProcess(one, 'SIGTERM');
  if (await allGone(processes, softMs)) return;
  for (const one of processes) signalProcess(one, 'SIGKILL');
  await allGone(processes, Number.POSITIVE_INFINITY);
}

/** After a launcher died, the API and the worker get this long to end, then Redis its own time. */
const PARTS_MS = 3_000;
const REDIS_MS = 5_000;
/** `endLeft` takes no longer, unless a process resists SIGKILL. */
export const END_LEFT_MS = PARTS_MS + REDIS_MS;

/** Ends all of them in order, Redis last. */
export async function endLeft(left: readonly RunningEntry[]): Promise<void> {
  const isRedis = ({ role }: RunningEntry): boolean => role === REDIS_ROLE;
  await endProcesses(
    left.filter((one) => !isRedis(one)),
    PARTS_MS,
  );
  await endProcesses(left.filter(isRedis), REDIS_MS);
}

/** Whether none of them runs any more within `withinMs`. */
export async function allGone(processes: readonly ProcessIdentity[], withinMs: number): Promise<boolean> {
  const until = performance.now() + withinMs;
  while (processes.some((one) => isRunning(one))) {
    if (performance.now() >= until) return false;
    await delay(POLL_MS);
  }
  return true;
}

/** Keeps track of every running child, so that none outlives the launcher. */
export interface ProcessRegistry {
  add(role: string, pid: number): void;
  remove(pid: number): void;
}

/** The role of the process that all others depend on; it is ended last. */
export const REDIS_ROLE = 'redis';

/** Updates all of them. */
export function registerWith(...registries: readonly ProcessRegistry[]): ProcessRegistry {
  return {
    add: (role, pid) => {
      for (const one of registries) one.add(role, pid);
    },
    remove: (pid) => {
      for (const one of registries) one.remove(pid);
    },
  };
}

/** The name of the list in the embedded server's folder. */
export const PROCESSES_FILE = 'processes.json';

export interface RunningEntry extends ProcessIdentity {
  role: string;
}

/**
 * Keeps the list of this start's processes in a file, so that the next start can end what a kill -9 left. A full disk must
 * not stop the service: the list is stale then, and Redis' own pid file still names the process that matters.
 */
export function runningFile(file: string, log: Pick<Logger, 'warn'>): ProcessRegistry {
  const entries = new Map<number, RunningEntry>();
  const write = (): void => {
    const next = `${file}.next`;
    try {
      writeFileSync(next, JSON.stringify([...entries.values()]), { mode: 0o600 });
      renameSync(next, file);
    } catch (error) {
      log.warn('processes.not_listed', { error });
    }
  };
  return {
    add: (role, pid) => {
      const identity = identify(pid);
      if (identity === undefined) return;
      entries.set(pid, { role, ...identity });
      write();
    },
    remove: (pid) => {
      if (entries.delete(pid)) write();
    },
  };
}

/** What an earlier start wrote there; empty if there is no readable file. */
export function readRunningFile(file: string): readonly RunningEntry[] {
  try {
    const parsed: unknown = JSON.parse(readFileSync(file, 'utf8'));
    return Array.isArray(parsed) ? parsed.filter(isEntry) : [];
  } catch {
    return [];
  }
}

function isEntry(value: unknown): value is RunningEntry {
  if (typeof value !== 'object' || value === null) return false;
  const { role, pid, birth } = value as Partial<RunningEntry>;
  return typeof role === 'string' && typeof pid === 'number' && typeof birth === 'string';
}
