import { randomUUID } from 'node:crypto';
import type { CloudinarySettings } from '@holdfast/foundation/config';
import { HoldfastError } from '@holdfast/foundation/errors';
import { type Body, bodyChunks, bytesInMemory, isStream } from '../body.js';
import type { HostCalls } from '../guarded-host.js';
import type { PutRequest } from '../media-host.js';
import { addressOf, createAssets, fieldsOf, refuseRenamed, sameAsset } from './assets.js';
import { createFiles, openAsset } from './files.js';
import { createListings } from './listings.js';
import { createPlacement, type Placed } from './placement.js';
import { readAsset } from './replies.js';
import { type CloudinaryOptions, connect, type Content } from './sdk.js';

/** Cloudinary's limit for one request. */
const MAX_REQUEST_BYTES = 100_000_000;
/** Nothing flows while the host answers a part, so there are as few as the limit allows, with room for the form around them. */
const PART_BYTES = 90_000_000;

/** Cloudinary through its SDK. Throws CONFIG_INVALID when this process already uses the SDK with the other protocol. */
export function createCloudinaryHost(settings: CloudinarySettings, options: CloudinaryOptions): HostCalls {
  const { maxRequestBytes = MAX_REQUEST_BYTES } = options;
  const connection = connect(settings, options);
  const placement = createPlacement(connection);
  const assets = createAssets(connection, placement);

  /** Sends a body in one request, or in parts when it is too large for one; gives the SDK's last reply. */
  const upload = async ({ ref, body, metadata, contentLength, signal }: PutRequest): Promise<unknown> => {
    const size = bytesInMemory(body) ?? contentLength ?? MAX_REQUEST_BYTES;
    const isLarge = size > maxRequestBytes;
    const fields = { ...addressOf(ref), public_id: ref.publicId, ...fieldsOf(metadata) };
    const send = (placed: Placed): Promise<unknown> => {
      // The last part is answered once the host has worked on the whole file.
      const sendContent: SendContent = (content, range = {}) =>
        connection.upload({ ...fields, ...placed, ...range }, content, { bytes: size, signal });
      return isLarge
        ? uploadInParts(body, { size, partBytes: Math.min(PART_BYTES, maxRequestBytes), signal }, sendContent)
        : sendContent(Buffer.isBuffer(body) ? [body] : body);
    };
    const { displayName } = metadata;
    if (displayName === undefined) return send({});
    const inFolder = { asset_folder: settings.folder };
    const isRepeatable = !isLarge && !isStream(body);
    if (isRepeatable) return placement.place({ ...inFolder, display_name: displayName }, send);
    // A name might be refused: that comes with the commit mark.
    return send((await placement.isTaken()) ? inFolder : {});
  };

  return {
    kind: 'cloudinary',
    identity: `cloudinary:${settings.cloudName}`,
    put: async (request) => {
      const { ref, metadata, signal } = request;
      const { asset, existed } = readAsset(await upload(request));
      const isOurs = !existed && asset.context['hf_id'] === metadata.context['hf_id'];
      if (isOurs && asset.publicId !== ref.publicId)
        await refuseRenamed(connection, asset.publicId, ref.publicId, addressOf(asset));
      sameAsset(asset, ref);
      // The short answer about an older asset may lack its metadata.
      return { asset: existed ? ((await assets.find(ref, signal)) ?? asset) : asset, existed };
    },
    signUpload: async ({ publicId, resourceType, metadata, timestamp }) => {
      const placed = { asset_folder: settings.folder, display_name: metadata.displayName };
      const params = {
        timestamp: String(timestamp),
        overwrite: 'false',
        public_id: publicId,
        ...fieldsOf(metadata),
        ...((await placement.isTaken()) ? placed : {}),
      };
      return {
        url: `${settings.apiUrl}/v1_1/${settings.cloudName}/${resourceType}/upload`,
        fields: connection.sdk.utils.sign_request(params, connection.credentials),
      };
    },
    open: (asset, signal) => openAsset(connection, asset, signal),
    ...assets,
    ...createListings(connection),
    ...createFiles(connection, placement),
    budget: connection.budget,
    hostNow: connection.hostNow,
    meteredCalls: connection.metered,
    freeBytes: () => Promise.resolve(null),
    close: async () => connection.close(),
  };
}

type SendContent = (content: Content, range?: Readonly<Record<string, string>>) => Promise<unknown>;

/** Cloudinary refuses smaller parts, unless they are the last. */
const LEAST_PART_BYTES = 5 * 1024 * 1024;
/** The length of a form is known, that of the file in it is not: all that comes with a file takes less than this. */
const FORM_BYTES = 4_000_000;

/**
 * Sends a body in parts, one after the other, and gives the reply to the last. A request states its range before its bytes, so
 * parts are streamed as long as they are sure to be filled. What may be the last part is collected first: at most FORM_BYTES and
 * LEAST_PART_BYTES are held. `size`: of the body, which may be up to FORM_BYTES shorter when it is a stream. Throws MALFORMED_BODY
 * for a body that ends before.
 */
async function uploadInParts(
  body: Body,
  { size, partBytes, signal }: { size: number; partBytes: number; signal: AbortSignal },
  send: SendContent,
): Promise<unknown> {
  const sure = isStream(body) ? size - FORM_BYTES : size;
  const uploadId = `holdfast-${randomUUID()}`;
  let sent = 0;
  const sendRange = (content: Content, bytes: number, total: number): Promise<unknown> => {
    const range = `bytes ${String(sent)}-${String(sent + bytes - 1)}/${String(total)}`;
    return send(content, { content_range: range, x_unique_upload_id: uploadId });
  };
  const chunks = bodyChunks(body, signal);
  let rest: Buffer = Buffer.alloc(0);
  const take = async function* (bytes: number): AsyncGenerator<Buffer, void, undefined> {
    for (let left = bytes; left > 0;) {
      if (rest.length === 0) {
        const next = await chunks.next();
        if (next.done === true)
          throw new HoldfastError('MALFORMED_BODY', 'the body ended long before its announced length');
        rest = next.value;
      }
      const piece = rest.subarray(0, left);
      rest = rest.subarray(piece.length);
      left -= piece.length;
      yield piece;
    }
  };
  for (;;) {
    const bytes = Math.min(partBytes, sure - sent);
    if (bytes < LEAST_PART_BYTES || bytes >= size - sent) break;
    await sendRange(take(bytes), bytes, -1);
    sent += bytes;
  }
  const last = [rest];
  for await (const chunk of chunks) last.push(chunk);
  const bytes = bytesInMemory(last) ?? 0;
  return sendRange(last, bytes, sent + bytes);
}
