export {
  ACKNOWLEDGE_WITHIN_MS,
  createIntents,
  isAccepted,
  type AcceptOutcome,
  type IntentState,
  type Intents,
  type StaleIntent,
} from './intents.js';
export { uploadScripts, type Acceptance, type FulfilledClaim } from './intent-scripts.js';
export { createRefusedAssets, type RefusedAsset, type RefusedAssets } from './refused-assets.js';
