import { ApiError } from '../api-error.js';
import type { ResourceType } from '../assets/asset.js';
import { uploadJson } from '../assets/asset-json.js';
import { fieldFlag, fieldText } from '../http/fields.js';
import type { OpenFile, UploadedFile } from '../http/receive-file.js';
import type { Call, Reply } from '../http/route.js';
import type { Parts } from '../parts.js';
import { contentRange } from './chunked-uploads.js';
import { fileFromText } from './file-from-text.js';
import { storeUpload, type UploadResult } from './store-upload.js';

type UploadParts = Pick<Parts, 'account' | 'assets' | 'blobs' | 'chunks' | 'settings' | 'webhooks' | 'now'>;

/** POST /:rt/upload: one file, or one part of a file, becomes an asset. */
export async function upload(call: Call, sent: UploadedFile | null, parts: UploadParts): Promise<Reply> {
  const { fields } = call;
  const endpoint = call.path['rt'] as ResourceType | 'auto';
  const file = sent ?? (await fileFromText(fieldText(fields, 'file'), parts.blobs));
  if (file === null) throw new ApiError(400, 'Missing required parameter - file');
  const range = contentRange(call.headers['content-range']);
  if (range === null) return finish(await storeUpload(fields, endpoint, file, parts), call, parts, {});

  const whole = await parts.chunks.add(uploadIdOf(call), range, file);
  if (whole === null) {
    const publicId = fieldText(fields, 'public_id');
    return {
      done: false,
      bytes: range.end + 1,
      kind: 'upload',
      ...(endpoint === 'auto' ? {} : { resource_type: endpoint }),
      ...(publicId === '' ? {} : { public_id: publicId }),
    };
  }
  return finish(await storeUpload(fields, endpoint, whole, parts), call, parts, { done: true });
}

/** Decides before the file is read where its bytes go; throws 400 for a part that must not come now. */
export function openUpload(call: Call, parts: Pick<Parts, 'blobs' | 'chunks'>): OpenFile {
  const range = contentRange(call.headers['content-range']);
  if (range === null) return { writer: parts.blobs.open() };
  parts.chunks.check(uploadIdOf(call), range);
  return parts.chunks.openPart(uploadIdOf(call), range);
}

/** The asset that must not be overwritten, where the host is set to answer before it reads the file. */
export function existingUpload(
  call: Call,
  { account, assets, settings }: Pick<Parts, 'account' | 'assets' | 'settings'>,
): Reply | null {
  const { fields, path } = call;
  if (!settings.existingAnswersEarly || fieldFlag(fields, 'overwrite', true)) return null;
  const type = fieldText(fields, 'type') || 'upload';
  const asset = assets.get(path['rt'] as ResourceType, type, fieldText(fields, 'public_id'));
  return asset === undefined ? null : { ...uploadJson(asset, account, settings), existing: true };
}

/** The id under which the parts of one file belong together; '' when none was sent. */
function uploadIdOf(call: Pick<Call, 'headers'>): string {
  const header = call.headers['x-unique-upload-id'];
  return typeof header === 'string' ? header : '';
}

function finish(result: UploadResult, call: Call, parts: UploadParts, extra: Reply): Reply {
  const { asset, existing, overwritten } = result;
  const json = { ...uploadJson(asset, parts.account, parts.settings), ...extra };
  if (existing) return { ...json, existing: true };
  const body = overwritten ? { ...json, overwritten: true } : json;
  parts.webhooks.emit('upload', body, fieldText(call.fields, 'notification_url'));
  if (fieldFlag(call.fields, 'async', false)) {
    return { status: 'pending', batch_id: asset.assetId, public_id: asset.publicId };
  }
  return body;
}
