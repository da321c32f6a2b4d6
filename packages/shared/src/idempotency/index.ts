export {
  CLAIM_KEPT_MS,
  CLAIM_LEASE_MS,
  createClaims,
  type ClaimReply,
  type Claims,
  type FinishedClaim,
  type HeldClaim,
  type RestoredClaim,
} from './claims.js';
export { claimKey, keyedMediaId } from './keyed-id.js';
