import { CLAIM_KEPT_MS } from '@holdfast/shared/idempotency';
import { bindingOf, idFromPublicId, readHostMetadata, takeClaim } from '@holdfast/shared/media';
import type { HostAsset } from '@holdfast/shared/media-host';
import type { SyncSession } from '../sync-run/sync-session.js';
import type { Step } from './reconcile-step.js';

/**
 * Redis forgot which Idempotency-Keys are used up, and the assets know: of media that come into the catalog anew, and of
 * all that a recovery meets, the keys of the last day are claimed again. Before those media are created: a run that dies in
 * between meets them as new once more.
 */
export async function restoreClaims(
  { deps, token, running, log }: SyncSession,
  assets: readonly HostAsset[],
  steps: readonly Step[],
): Promise<void> {
  const { trigger, dryRun } = running.run;
  if (dryRun) return;
  const met =
    trigger === 'recovery'
      ? assets
      : steps.flatMap(({ action, asset }) => (action.kind === 'create' ? [asset] : []));
  const nowMs = deps.now();
  const claims = met.flatMap((asset) => {
    const claim = takeClaim(asset.context);
    if (claim === undefined) return [];
    const carried = readHostMetadata(asset);
    if (carried?.mark.state !== 'committed') return [];
    const { id, createdAt } = carried.fields;
    const keepMs = Date.parse(createdAt) + CLAIM_KEPT_MS - nowMs;
    const { folder } = deps.settings.host;
    const isOurs =
      idFromPublicId(folder, asset) === id || carried.boundTo === bindingOf(folder, asset.assetId);
    return isOurs && keepMs > 0 ? [{ ...claim, id, keepMs }] : [];
  });
  const restored = await deps.claims.restore(claims, token);
  if (restored > 0) log.info('sync.claims_restored', { count: restored });
}
