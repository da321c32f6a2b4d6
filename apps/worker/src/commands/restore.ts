import { syncJob } from '@holdfast/shared/jobs';
import { newMediaId } from '@holdfast/shared/media';
import { noteRestored, restoreSnapshot } from '../snapshot/restore-snapshot.js';
import type { Command } from './command.js';
import { withLease } from './with-lease.js';

/**
 * Brings the newest usable snapshot into the catalog and asks for a sync of what changed since, which on an emptied catalog
 * is its recovery. Exit code 1 where there is no usable one.
 */
export const restore: Command = {
  summary: 'bring the newest usable snapshot into the catalog; nothing newer is replaced',
  run: (env, _args, signal) =>
    withLease(env, signal, async (leased) => {
      const result = await restoreSnapshot(leased);
      const { restored, refused } = result;
      if (restored === null)
        return {
          exitCode: 1,
          report: { restored: null, refused },
          text:
            refused.length === 0
              ? 'There is no snapshot.'
              : `There is no usable snapshot: ${String(refused.length)} could not be used.`,
        };
      const { manifest, created, unproven } = restored;
      await noteRestored(leased, leased.token, result);
      // An incremental sync begins a little before this.
      await leased.state.note(leased.token, { watermark: manifest.at });
      const runId = newMediaId();
      await leased.queues.add(syncJob, {
        trigger: 'manual',
        mode: 'incremental',
        runId,
        dryRun: false,
        force: false,
      });
      const { id, at, records, tombstones } = manifest;
      return {
        exitCode: 0,
        report: {
          restored: { id, at, records, tombstones, written: created, unproven },
          refused,
          syncRunId: runId,
        },
        text: [
          `Snapshot ${id} of ${at} was restored: ${String(created)} of its ${String(records)} records were written, the others were there.`,
          `Sync ${runId} brings in what changed since.`,
        ].join('\n'),
      };
    }),
};
