// The Lua of the catalog that scripts of other features are made of. Not for apps.
export { recordPrelude } from './record-prelude.js';
export { savePrelude } from './save-prelude.js';
export { endIntent, eraseRecord, setDeleting } from './record-steps.js';
