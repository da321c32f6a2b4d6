import { HoldfastError } from '@holdfast/shared/errors';
import type { ShownAssets } from '@holdfast/shared/media-host';
import { addCounts, addFinding, type SyncSession } from '../sync-run/sync-session.js';

/**
 * Notes what of a page cannot be read or was left out. Throws HOST_REJECTED where more than half cannot be read: then it is not the
 * assets, and to go on would be to take a host that we do not understand for an empty one. A single odd asset, alone on its page, does
 * not keep the run from all others that it has read.
 */
export function insistOnReadable(session: SyncSession, page: ShownAssets): void {
  if (page.lacking.length > 0) addFinding(session, 'LISTING_FIELDS_MISSING', page.lacking);
  const { length } = page.unreadable;
  if (length === 0) return;
  noteUnreadable(session, page);
  if (length <= page.assets.length) return;
  if (length === 1 && session.running.run.listed > 0) return;
  // The failed run goes back to its last checkpoint, and what failed it must stay.
  const { safe, running } = session;
  if (!safe.run.findings.some(({ code }) => code === 'ASSETS_UNREADABLE')) {
    safe.run.errors += length;
    safe.run.findings = running.run.findings;
  }
  throw new HoldfastError(
    'HOST_REJECTED',
    `${String(length)} of ${String(length + page.assets.length)} assets of a page cannot be read`,
  );
}

/** Counted, and told with the names that the host gives them. */
export function noteUnreadable(session: SyncSession, { unreadable }: Pick<ShownAssets, 'unreadable'>): void {
  addCounts(session.running.run, { errors: unreadable.length });
  const names = unreadable.flatMap(({ assetId, publicId }) => assetId ?? publicId ?? []);
  addFinding(session, 'ASSETS_UNREADABLE', names, unreadable.length);
}
