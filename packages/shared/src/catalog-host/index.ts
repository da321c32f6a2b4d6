export {
  createCatalogHost,
  folderHost,
  noteFolderHost,
  settleHost,
  type CatalogHost,
  type SettleHostParts,
} from './catalog-host.js';
