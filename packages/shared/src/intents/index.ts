export {
  ACKNOWLEDGE_WITHIN_MS,
  createIntents,
  isAccepted,
  type AcceptOutcome,
  type FulfilledClaim,
  type IntentState,
  type Intents,
  type NextUpload,
  type StaleIntent,
} from './intents.js';
export { createRefusedAssets, type RefusedAsset, type RefusedAssets } from './refused-assets.js';
