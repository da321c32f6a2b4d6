import type { SyncDependencies } from '../sync-run/sync-dependencies.js';
import type { ReconcileRules } from './reconcile-step.js';

/** What decisions about assets go by, at this moment. */
export function reconcileRules({
  settings,
  host,
  now,
}: Pick<SyncDependencies, 'settings' | 'host' | 'now'>): ReconcileRules {
  const { folder, syncPrefix } = settings.host;
  return { folder, syncPrefix, nowMs: now(), hostNowMs: host.hostNow(), uploads: settings.uploads };
}
