export { createCatalogHost, type CatalogHost } from './catalog-host.js';
export { folderHost, noteFolderHost } from './folder-host.js';
export { settleHost, type SettleHostParts } from './settle-host.js';
