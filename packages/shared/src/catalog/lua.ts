// The Lua of the catalog that scripts of other features are made of. Not for apps.
export { recordLua, statusAndNumber } from './record.js';
export { indexLua, statusLua } from './indexes.js';
export { endIntent, eraseRecord, saveLua, setDeleting } from './writes.js';
