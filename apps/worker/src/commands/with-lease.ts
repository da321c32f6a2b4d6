import { setTimeout as pause } from 'node:timers/promises';
import { isUnnamed, readSettings, type Environment, type Settings } from '@holdfast/shared/config';
import { HoldfastError } from '@holdfast/shared/errors';
import { createLogger } from '@holdfast/shared/logging';
import { createMetricsRegistry } from '@holdfast/shared/metrics';
import { isReadyWithin } from '@holdfast/shared/redis';
import { openDependencies } from '../dependencies.js';
import type { LeasedWork, SyncDependencies } from '../sync-run/sync-dependencies.js';
import { holdLease } from '../sync-run/sync-session.js';

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
  refuseUnnamed(settings);
  // Stdout is left to the report.
  const level = settings.log.level === 'info' || settings.log.level === 'debug' ? 'warn' : settings.log.level;
  const log = createLogger({ ...settings.log, level }, { process: 'command' }, 'stderr');
  const deps = await openDependencies(settings, log, {
    onFacts: () => undefined,
    registry: createMetricsRegistry(),
  });
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

function refuseUnnamed({ redis, dataDir }: Settings): void {
  if (!isUnnamed(redis)) return;
  const message = `is not set, and no embedded Redis was found: npm start must run, with DATA_DIR=${dataDir}`;
  throw new HoldfastError('CONFIG_INVALID', 'no Redis to work on', {
    errors: [{ path: 'REDIS_URL', message }],
  });
}

async function waitForLease(deps: SyncDependencies, signal: AbortSignal) {
  const until = performance.now() + WAIT_MS;
  for (;;) {
    const lease = await holdLease(deps, signal);
    if (lease !== null) return lease;
    if (performance.now() >= until)
      throw new HoldfastError('RUN_SUPERSEDED', 'a sync is running; try again when it has ended');
    await pause(POLL_MS, undefined, { signal });
  }
}
