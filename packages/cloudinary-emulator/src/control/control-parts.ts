import { createHash } from 'node:crypto';
import { notFound } from '../api-error.js';
import { changeAsset, type Asset } from '../assets/asset.js';
import { assetOrder } from '../assets/asset-order.js';
import { planSeed } from '../assets/seed-assets.js';
import { seedTemplateSchema } from '../assets/seed-template.js';
import { assetBytes } from '../edits/asset-bytes.js';
import { editAsset, removeAssets, renameAsset } from '../edits/edit-asset.js';
import { placeAsset } from '../edits/place-asset.js';
import { faultSchema } from '../faults/fault.js';
import { webhookFaultSchema } from '../webhooks/webhook-fault.js';
import { nowSeconds, type Parts } from '../parts.js';
import type { AssetQuery, EmulatorControl, QuietOption } from './emulator-control.js';

const oldestFirst = assetOrder([{ value: (asset) => asset.createdAt }]);

/** The control of an emulator in this process. */
export function controlParts(parts: Parts): EmulatorControl {
  const { account, assets, faults, requests, settings, webhooks } = parts;
  const mustHave = (assetId: string): Asset => {
    const asset = assets.byAssetId(assetId);
    if (asset === undefined) throw notFound(assetId);
    return asset;
  };
  const quietParts = ({ quiet = false }: QuietOption) =>
    quiet ? { ...parts, webhooks: { ...webhooks, emit: () => undefined } } : parts;
  return {
    get url() {
      return account.url;
    },
    get cloudinaryUrl() {
      return `cloudinary://${account.apiKey}:${account.apiSecret}@${account.cloudName}?upload_prefix=${account.url}`;
    },
    assets: {
      count: async () => assets.size,
      list: async (query = {}) => listAssets(query, parts),
      get: async (resourceType, publicId, type = 'upload') =>
        assets.get(resourceType, type, publicId) ?? null,
      byAssetId: async (assetId) => assets.byAssetId(assetId) ?? null,
      async bytes(assetId) {
        const asset = assets.byAssetId(assetId);
        return asset === undefined ? null : assetBytes(asset, parts.blobs);
      },
      async seed(count, template = {}) {
        const seed = planSeed(count, seedTemplateSchema.parse(template), assets.nextSeq(), nowSeconds(parts));
        parts.seed(seed);
        return count;
      },
      put: async (input, options = {}) => placeAsset(input, parts, options),
      edit: async (assetId, edit, options = {}) => editAsset(mustHave(assetId), edit, quietParts(options)),
      rename: async (assetId, publicId, options = {}) => {
        const asset = mustHave(assetId);
        return renameAsset(asset, { publicId, type: asset.type }, quietParts(options));
      },
      async remove(assetId, options = {}) {
        const asset = assets.byAssetId(assetId);
        if (asset === undefined) return false;
        await removeAssets([asset], quietParts(options));
        return true;
      },
      async corrupt(assetId, { keepEtag = false } = {}) {
        const asset = mustHave(assetId);
        const bytes = Buffer.from((await assetBytes(asset, parts.blobs)) ?? '');
        if (asset.blob === null || bytes.length === 0)
          throw new Error('The bytes of this asset are not kept');
        bytes[0] = (bytes[0] ?? 0) ^ 0xff;
        await parts.blobs.replace(asset.blob, bytes);
        if (keepEtag) return asset;
        const changed = changeAsset(asset, { etag: createHash('md5').update(bytes).digest('hex') });
        assets.put(changed);
        return changed;
      },
    },
    requests: {
      counters: async () => requests.counters(),
      recent: async () => requests.recent(),
      async reset() {
        requests.reset();
        parts.limit.reset();
      },
    },
    faults: {
      add: async (fault) => faults.add(faultSchema.parse(fault)),
      list: async () => faults.list(),
      async clear(id) {
        faults.clear(id);
        if (id === undefined) webhooks.clearFaults();
      },
    },
    webhooks: {
      addFault: async (fault) => webhooks.addFault(webhookFaultSchema.parse(fault)),
      deliveries: async () => webhooks.deliveries(),
      pending: async () => webhooks.pending(),
    },
    settings: async () => ({ ...settings }),
    async configure(changes) {
      Object.assign(settings, changes);
      return { ...settings };
    },
  };
}

function listAssets(query: AssetQuery, { assets }: Parts): Asset[] {
  const view = assets.view({ name: 'control', includes: () => true, compare: oldestFirst.compare });
  const { resourceType, prefix = '', tag, limit = Infinity, offset = 0 } = query;
  const found: Asset[] = [];
  let skipped = 0;
  for (const asset of view.from(() => false)) {
    if (found.length >= limit) break;
    if (resourceType !== undefined && asset.resourceType !== resourceType) continue;
    if (!asset.publicId.startsWith(prefix) || (tag !== undefined && !asset.tags.includes(tag))) continue;
    if (skipped < offset) skipped += 1;
    else found.push(changeAsset(asset, {}));
  }
  return found;
}
