import { createHash, randomUUID } from 'node:crypto';
import { ApiError } from '../api-error.js';
import type { Asset, ResourceType } from '../assets/asset.js';
import { parseContext, parseMetadata, parseTags } from '../context-encoding.js';
import { fieldFlag, fieldText, hasField, type Fields } from '../http/fields.js';
import type { UploadedFile } from '../http/receive-file.js';
import { describeFile, type FileDescription } from '../media/describe-file.js';
import { nowSeconds, type Parts } from '../parts.js';
import type { DefaultPreset } from '../settings.js';
import { refuseFolders } from './explicit.js';
import { baseName, publicIdFor } from './public-id.js';

/** What became of an upload. `existing` = nothing was stored, the asset is the one that was there. */
export interface UploadResult {
  asset: Asset;
  existing: boolean;
  overwritten: boolean;
}

type StoreParts = Pick<Parts, 'assets' | 'blobs' | 'settings' | 'now'>;

/**
 * Turns a whole file into an asset. The file's writer is finished or aborted in every case. Throws the API's
 * 400 for what the host refuses.
 */
export async function storeUpload(
  fields: Fields,
  endpoint: ResourceType | 'auto',
  file: UploadedFile,
  parts: StoreParts,
): Promise<UploadResult> {
  try {
    refuseFolders(fields, parts.settings);
    const preset = hasField(fields, 'upload_preset') ? null : parts.settings.defaultPreset;
    const description = checkFile(fields, endpoint, file, parts);
    const isRaw = description.resourceType === 'raw';
    const filename = fieldText(fields, 'filename_override') || file.filename;
    const publicId = publicIdFor(withFolder(fields, preset), filename, isRaw);
    const type = fieldText(fields, 'type') || 'upload';
    const find = () => parts.assets.get(description.resourceType, type, publicId);
    const keepsExisting = !fieldFlag(fields, 'overwrite', true);

    const known = find();
    if (known !== undefined && keepsExisting) {
      await file.writer.abort();
      return { asset: known, existing: true, overwritten: false };
    }
    // Texts are read before the bytes are kept: they may be refused.
    const texts = textsOf(fields, preset);
    const stored = preset?.transforms === true && !isRaw ? await transformed(file) : file;
    const blob = await file.writer.finish(randomUUID().replaceAll('-', ''));
    // Another upload of the same id may have been quicker while the bytes were put away.
    const previous = find();
    if (previous !== undefined && keepsExisting) {
      if (blob !== null) await parts.blobs.remove(blob);
      return { asset: previous, existing: true, overwritten: false };
    }
    const asset = buildAsset({ ...description, ...texts }, previous, parts, {
      publicId,
      type,
      bytes: stored.bytes,
      etag: stored.md5,
      blob,
      originalFilename: baseName(filename),
      assetFolder: fieldText(fields, 'asset_folder') || (previous?.assetFolder ?? preset?.assetFolder ?? ''),
      displayName: fieldText(fields, 'display_name') || publicId.slice(publicId.lastIndexOf('/') + 1),
    });
    parts.assets.put(asset);
    if (previous?.blob) await parts.blobs.remove(previous.blob);
    return { asset, existing: false, overwritten: previous !== undefined };
  } catch (error) {
    await file.writer.abort();
    throw error;
  }
}

function checkFile(
  fields: Fields,
  endpoint: ResourceType | 'auto',
  file: UploadedFile,
  { settings }: Pick<Parts, 'settings'>,
): FileDescription {
  if (file.bytes === 0) throw new ApiError(400, 'Empty file');
  const description = describeFile(file.head, endpoint);
  const maximum = settings.maxBytes[description.resourceType];
  if (file.bytes > maximum) {
    throw new ApiError(400, `File size too large. Got ${file.bytes}. Maximum is ${maximum}.`);
  }
  const allowed = parseTags(fieldText(fields, 'allowed_formats'));
  if (allowed.length > 0 && !allowed.includes(description.format ?? '')) {
    throw new ApiError(400, `Image file format ${description.format ?? 'unknown'} not allowed`);
  }
  return description;
}

type Texts = Partial<Pick<Asset, 'tags' | 'context' | 'metadata'>>;

function textsOf(fields: Fields, preset: DefaultPreset | null): Texts {
  const tags = [...parseTags(fieldText(fields, 'tags')), ...(preset?.tags ?? [])];
  const context = { ...preset?.context, ...parseContext(fieldText(fields, 'context')) };
  return {
    ...(hasField(fields, 'tags') || preset?.tags !== undefined ? { tags: [...new Set(tags)] } : {}),
    ...(hasField(fields, 'context') || preset?.context !== undefined ? { context } : {}),
    ...(hasField(fields, 'metadata') ? { metadata: parseMetadata(fieldText(fields, 'metadata')) } : {}),
  };
}

function withFolder(fields: Fields, preset: DefaultPreset | null): Fields {
  return preset?.folder === undefined || hasField(fields, 'folder')
    ? fields
    : { ...fields, folder: preset.folder };
}

const TRANSFORMED = Buffer.from('transformed');

/** Other bytes than came; their hash only has to be another one. */
async function transformed({ writer, bytes, md5 }: UploadedFile): Promise<{ bytes: number; md5: string }> {
  await writer.write(TRANSFORMED);
  return {
    bytes: bytes + TRANSFORMED.length,
    md5: createHash('md5').update(md5).update(TRANSFORMED).digest('hex'),
  };
}

type NewFields = Pick<
  Asset,
  'publicId' | 'type' | 'bytes' | 'etag' | 'blob' | 'originalFilename' | 'assetFolder' | 'displayName'
>;

function buildAsset(
  sent: FileDescription & Texts,
  previous: Asset | undefined,
  parts: Pick<Parts, 'assets' | 'settings' | 'now'>,
  fresh: NewFields,
): Asset {
  const now = nowSeconds(parts);
  const kept = parts.settings.overwriteClears ? undefined : previous;
  return {
    assetId: previous?.assetId ?? randomUUID().replaceAll('-', ''),
    resourceType: sent.resourceType,
    format: sent.format,
    width: sent.width,
    height: sent.height,
    duration: sent.duration,
    createdAt: previous?.createdAt ?? now,
    uploadedAt: now,
    version: Math.max(now, (previous?.version ?? 0) + 1),
    updatedAt: now,
    publicIdUpdatedAt: previous?.publicIdUpdatedAt ?? null,
    tagsUpdatedAt: sent.tags === undefined ? (previous?.tagsUpdatedAt ?? null) : now,
    contextUpdatedAt: sent.context === undefined ? (previous?.contextUpdatedAt ?? null) : now,
    metadataUpdatedAt: sent.metadata === undefined ? (previous?.metadataUpdatedAt ?? null) : now,
    tags: sent.tags ?? kept?.tags ?? [],
    context: sent.context ?? kept?.context ?? {},
    metadata: sent.metadata ?? kept?.metadata ?? {},
    seq: previous?.seq ?? parts.assets.nextSeq(),
    ...fresh,
  };
}
