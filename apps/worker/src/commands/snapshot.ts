import { HoldfastError } from '@holdfast/shared/errors';
import { takeSnapshot } from '../snapshot/take-snapshot.js';
import type { Command } from './command.js';
import { withLease } from './with-lease.js';

/**
 * Rejects with CATALOG_REBUILDING before the first full sync: after Redis was emptied the last snapshot knows more.
 */
export const snapshot: Command = {
  summary: 'write a snapshot of the catalog now, also where nothing changed since the last one',
  run: (env, _args, signal) =>
    withLease(env, signal, async (leased) => {
      if ((await leased.state.readSnapshotFacts()).lastFullAt === null)
        throw new HoldfastError(
          'CATALOG_REBUILDING',
          'no full sync has completed since the catalog was empty',
        );
      const { id, at, records, bytes } = await takeSnapshot(leased);
      return {
        exitCode: 0,
        report: { snapshot: { id, at, records, bytes } },
        text: `Snapshot ${id} was written: ${String(records)} records, ${String(bytes)} bytes.`,
      };
    }),
};
