import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import type { Logger } from '@holdfast/shared/logging';
import { identify, type ProcessIdentity } from './process-identity.js';
import type { ProcessRegistry } from './process-registry.js';

/** The name of the list in the embedded server's folder. */
export const PROCESSES_FILE = 'processes.json';

export interface RunningEntry extends ProcessIdentity {
  role: string;
}

/**
 * Keeps the list of this start's processes in a file, so that the next start can end what a kill -9 left. A disk that is
 * full must not end what runs: the list is then old, and Redis' own pid file still tells of the process that matters.
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

/** What an earlier start wrote there; empty where there is no such file, or no readable one. */
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
