export {
  ACKNOWLEDGE_WITHIN_MS,
  createIntents,
  isAccepted,
  uploadScripts,
  type Acceptance,
  type AcceptOutcome,
  type FulfilledClaim,
  type IntentState,
  type Intents,
  type StaleIntent,
} from './intents.js';
export { createRefusedAssets, type RefusedAsset, type RefusedAssets } from './refused-assets.js';
