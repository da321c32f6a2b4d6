import { createHash, randomUUID } from 'node:crypto';
import { changeAsset, type Asset, type ResourceType } from '../assets/asset.js';
import { uploadJson } from '../assets/asset-json.js';
import { describeFile } from '../media/describe-file.js';
import { nowSeconds, type Parts } from '../parts.js';

/** An asset as somebody puts it into the account past the API, in whole or in part. */
export interface AssetInput extends Partial<
  Omit<Asset, 'blob' | 'seq' | 'assetId' | 'publicId' | 'resourceType'>
> {
  publicId: string;
  /** Default raw. */
  resourceType?: ResourceType;
  /** Default: a short text. Kind and dimensions are read from it unless given. */
  content?: Buffer;
}

/**
 * Puts an asset in place as the Media Library would: a new one, or the next version of the one there.
 * Emits the upload notification unless it is to be quiet.
 */
export async function placeAsset(
  input: AssetInput,
  parts: Pick<Parts, 'account' | 'assets' | 'blobs' | 'settings' | 'webhooks' | 'now'>,
  options: { quiet?: boolean } = {},
): Promise<Asset> {
  const { content: given, ...fields } = input;
  const content = given ?? Buffer.from(`asset ${input.publicId}\n`);
  const resourceType = input.resourceType ?? 'raw';
  const type = input.type ?? 'upload';
  const writer = parts.blobs.open();
  await writer.write(content);
  const blob = await writer.finish(randomUUID().replaceAll('-', ''));
  const previous = parts.assets.get(resourceType, type, input.publicId);
  const now = nowSeconds(parts);
  const name = input.publicId.slice(input.publicId.lastIndexOf('/') + 1);
  const asset: Asset = {
    ...(given === undefined
      ? { format: null, width: null, height: null, duration: null }
      : describeFile(content, resourceType)),
    assetId: previous?.assetId ?? randomUUID().replaceAll('-', ''),
    type,
    bytes: content.length,
    etag: createHash('md5').update(content).digest('hex'),
    createdAt: previous?.createdAt ?? now,
    uploadedAt: now,
    version: Math.max(now, (previous?.version ?? 0) + 1),
    updatedAt: now,
    publicIdUpdatedAt: null,
    tagsUpdatedAt: input.tags === undefined ? null : now,
    contextUpdatedAt: input.context === undefined ? null : now,
    metadataUpdatedAt: input.metadata === undefined ? null : now,
    tags: [],
    context: {},
    metadata: {},
    originalFilename: name,
    assetFolder: '',
    displayName: name,
    ...fields,
    resourceType,
    seq: previous?.seq ?? parts.assets.nextSeq(),
    blob,
  };
  parts.assets.put(asset);
  if (previous?.blob) await parts.blobs.remove(previous.blob);
  if (options.quiet !== true) {
    parts.webhooks.emit('upload', uploadJson(asset, parts.account, parts.settings), '');
  }
  return changeAsset(asset, {});
}
