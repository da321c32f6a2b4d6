import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';

/** A process and the moment of its birth: a number alone may by now belong to another process. */
export interface ProcessIdentity {
  pid: number;
  birth: string;
}

const BOOT_ID = '/proc/sys/kernel/random/boot_id';

/** Who has this number now; undefined when nobody does, or only a zombie. */
export function identify(pid: number): ProcessIdentity | undefined {
  try {
    const birth = existsSync(BOOT_ID) ? birthFromProc(pid) : birthFromPs(pid);
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
export function signalProcess(identity: ProcessIdentity, signal: NodeJS.Signals): boolean {
  if (!isRunning(identity)) return false;
  try {
    return process.kill(identity.pid, signal);
  } catch {
    return false;
  }
}

function birthFromProc(pid: number): string | undefined {
  const stat = readFileSync(`/proc/${String(pid)}/stat`, 'utf8');
  // The name in parentheses may hold anything, so count from its end: state is the 1st field, start time the 20th.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state, startTime] = [fields[0], fields[19]];
  if (state === undefined || startTime === undefined || state === 'Z' || state === 'X') return undefined;
  return `${readFileSync(BOOT_ID, 'utf8').trim()} ${startTime}`;
}

function birthFromPs(pid: number): string | undefined {
  const line = execFileSync('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  }).trim();
  const [state, ...birth] = line.split(/\s+/);
  return state === undefined || state === '' || state.startsWith('Z') ? undefined : birth.join(' ');
}
