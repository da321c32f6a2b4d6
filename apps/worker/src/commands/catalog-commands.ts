import { setTimeout as pause } from 'node:timers/promises';
import { type Environment, isUnnamed, readSettings } from '@holdfast/foundation/config';
import { HoldfastError } from '@holdfast/foundation/errors';
import { syncJob } from '@holdfast/shared/jobs';
import { createLogger } from '@holdfast/foundation/logging';
import { newMediaId } from '@holdfast/shared/media';
import { isReadyWithin } from '@holdfast/shared/redis';
import { openDependencies } from '../dependencies.js';
import { restoreSnapshot } from '../snapshot/restore-snapshot.js';
import { takeSnapshot } from '../snapshot/take-snapshot.js';
import { holdLease, type LeasedWork, type SyncDependencies } from '../sync-run/sync-session.js';
import type { Command } from './run-command.js';

/** For indexes in doubt: a list or a count that does not fit the records. Safe beside uploads and edits. */
export const rebuildIndexes: Command = {
  summary: 'rebuild all indexes of the catalog from its records',
  details: 'Reads every key of this Redis database once. Records themselves are not changed.',
  run: (env, _args, signal) =>
    withLease(env, signal, async ({ catalog, signal: leased }) => {
      const { added, dropped } = await catalog.repairIndexes(leased, true);
      return {
        exitCode: 0,
        report: { added, dropped },
        text:
          added + dropped === 0
            ? 'Every index matches the records.'
            : `Index entries added: ${String(added)}, dropped: ${String(dropped)}.`,
      };
    }),
};

/**
 * Rejects with CATALOG_REBUILDING before the first full sync: after Redis was emptied the last snapshot knows more.
 */
export const snapshot: Command = {
  summary: 'write a snapshot of the catalog now, even if nothing has changed since the last one',
  run: (env, _args, signal) =>
    withLease(env, signal, async (leased) => {
      if ((await leased.state.read()).lastFullAt === null)
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

/**
 * Brings the newest usable snapshot into the catalog and asks for a sync of what changed since, which on an emptied catalog
 * is its recovery. Exit code 1 where there is no usable one.
 */
export const restore: Command = {
  summary: 'bring the newest usable snapshot into the catalog; nothing newer is replaced',
  run: (env, _args, signal) =>
    withLease(env, signal, async (leased) => {
      const { restored, refused } = await restoreSnapshot(leased);
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
      // An incremental sync begins a little before this.
      await leased.state.note(leased.token, { watermark: manifest.at });
      const syncRunId = await requestSync(leased, 'incremental');
      const { id, at, records, tombstones } = manifest;
      return {
        exitCode: 0,
        report: { restored: { id, at, records, tombstones, written: created, unproven }, refused, syncRunId },
        text: [
          `Snapshot ${id} of ${at} was restored: ${String(created)} of its ${String(records)} records were written, the others were there.`,
          `Sync ${syncRunId} brings in what changed since.`,
        ].join('\n'),
      };
    }),
};

/** Asks for a sync once this command has released the lease; resolves with the id of its run. */
export async function requestSync({ queues }: LeasedWork, mode: 'full' | 'incremental'): Promise<string> {
  const runId = newMediaId();
  await queues.add(syncJob, { trigger: 'manual', mode, runId, dryRun: false, force: false });
  return runId;
}

const CONNECT_MS = 5_000;
const WAIT_MS = 60_000;
const POLL_MS = 500;

/**
 * Does work that must not run beside a sync, with what a worker has, and closes it all. Waits a minute for a running sync,
 * then rejects with RUN_SUPERSEDED; with QUEUE_UNAVAILABLE without Redis. With CONFIG_INVALID where none is named: what
 * listens on this machine may be a stranger's.
 */
export async function withLease<T>(
  env: Environment,
  signal: AbortSignal,
  work: (leased: LeasedWork) => Promise<T>,
): Promise<T> {
  const settings = readSettings(env);
  if (isUnnamed(settings.redis)) {
    const message = `is not set, and no embedded Redis was found: npm start must run, with DATA_DIR=${settings.dataDir}`;
    const errors = [{ path: 'REDIS_URL', message }];
    throw new HoldfastError('CONFIG_INVALID', 'no Redis to work on', { errors });
  }
  // Stdout is left to the report.
  const level = settings.log.level === 'info' || settings.log.level === 'debug' ? 'warn' : settings.log.level;
  const log = createLogger({ ...settings.log, level }, 'command', 'stderr');
  const deps = await openDependencies(settings, log);
  try {
    if (!(await isReadyWithin(deps.background, CONNECT_MS))) throw new HoldfastError('QUEUE_UNAVAILABLE');
    await deps.queues.queues.sync.waitUntilReady();
    const lease = await waitForLease(deps.sync, signal);
    try {
      return await work({ ...deps.sync, token: lease.token, signal: lease.signal, log });
    } finally {
      await lease.release();
    }
  } finally {
    await deps.close();
  }
}

async function waitForLease(deps: SyncDependencies, signal: AbortSignal) {
  const until = performance.now() + WAIT_MS;
  for (;;) {
    const { lease } = await holdLease(deps, signal);
    if (lease !== null) return lease;
    if (performance.now() >= until)
      throw new HoldfastError('RUN_SUPERSEDED', 'a sync is running; try again when it has ended');
    await pause(POLL_MS, undefined, { signal });
  }
}
