export {
  CLAIM_KEPT_MS,
  CLAIM_LEASE_MS,
  claimKey,
  createClaims,
  type ClaimReply,
  type Claims,
  type FinishedClaim,
  type HeldClaim,
  type RestoredClaim,
} from './claims.js';
