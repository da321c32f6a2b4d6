// The Lua of claims that scripts of other features are made of. Not for apps.
export { claimPrelude } from './claim-scripts.js';
