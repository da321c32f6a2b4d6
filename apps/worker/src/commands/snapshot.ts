import { takeSnapshot } from '../snapshot/take-snapshot.js';
import type { Command } from './command.js';
import { withLease } from './with-lease.js';

/** Writes a snapshot of the catalog as it is now, also where nothing changed since the last one. */
export const snapshot: Command = (env, signal) =>
  withLease(env, signal, async (leased) => {
    const { id, at, records, bytes } = await takeSnapshot(leased);
    return { exitCode: 0, report: { snapshot: { id, at, records, bytes } } };
  });
