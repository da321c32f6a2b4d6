import type { Claims, HeldClaim } from '@holdfast/shared/idempotency';
import type { Beating } from './heartbeat.js';
import type { Owner } from './undo-upload.js';

/** Undoing for a try that another one may have taken over. `next`: what becomes of the claim. */
export function ownerOf(
  claims: Pick<Claims, 'renew' | 'release'>,
  claim: HeldClaim,
  beating: Pick<Beating, 'isFresh'>,
  next: 'give up' | 'go on',
): Owner {
  const renew = async (): Promise<boolean> => (await claims.renew([claim]))[0] === true;
  return {
    holds: () => renew().catch(() => beating.isFresh()),
    // The id of a try that failed is not used again.
    letGo: next === 'go on' ? renew : async () => (await claims.release(claim, false)) === 'released',
  };
}
