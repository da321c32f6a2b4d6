import { CLAIM_KEPT_MS } from '@holdfast/shared/idempotency';
import type { SyncSession } from '../sync-run/sync-session.js';
import type { Step } from './decide.js';

/**
 * Redis forgot which Idempotency-Keys are used up, and the assets know: the keys of the last day are claimed again, of media that
 * come into the catalog and of all that a recovery meets. Before those media are created: a run that dies in between meets them
 * as new once more.
 */
export async function restoreClaims(
  { claims: known, now, token, running, log }: SyncSession,
  steps: readonly Step[],
): Promise<void> {
  const { trigger, dryRun } = running.run;
  if (dryRun) return;
  const claims = steps.flatMap(({ action, carried, fresh }) => {
    if (action.kind !== 'create' && trigger !== 'recovery') return [];
    if (carried?.claim === undefined || carried.mark.state !== 'committed') return [];
    const { id, createdAt } = carried.fields;
    const keepMs = Date.parse(createdAt) + CLAIM_KEPT_MS - now();
    // A copy that others made carries the claim, too, and becomes a record of its own.
    return fresh.id === id && keepMs > 0 ? [{ ...carried.claim, id, keepMs }] : [];
  });
  const restored = await known.restore(claims, token);
  if (restored > 0) log.info('sync.claims_restored', { count: restored });
}
