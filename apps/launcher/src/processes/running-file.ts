import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { identify, type ProcessIdentity } from './process-identity.js';
import type { ProcessRegistry } from './process-registry.js';

export interface RunningEntry extends ProcessIdentity {
  role: string;
}

/** Keeps the list of this start's processes in a file, so that the next start can end what a kill -9 left. */
export function runningFile(file: string): ProcessRegistry {
  const entries = new Map<number, RunningEntry>();
  const write = (): void => {
    const next = `${file}.next`;
    writeFileSync(next, JSON.stringify([...entries.values()]), { mode: 0o600 });
    renameSync(next, file);
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
