import type { Command } from './command.js';
import { withLease } from './with-lease.js';

/** For indexes in doubt: a list or a count that does not fit the records. Safe beside uploads and edits. */
export const rebuildIndexes: Command = {
  summary: 'make all indexes of the catalog fit its records again',
  details: 'Reads every key of this Redis database once. Records themselves are not changed.',
  run: (env, _args, signal) =>
    withLease(env, signal, async ({ catalog, signal: leased }) => {
      const { added, dropped } = await catalog.rebuildIndexes(leased);
      return {
        exitCode: 0,
        report: { added, dropped },
        text:
          added + dropped === 0
            ? 'Every index fits the records.'
            : `Index entries added: ${String(added)}, dropped: ${String(dropped)}.`,
      };
    }),
};
