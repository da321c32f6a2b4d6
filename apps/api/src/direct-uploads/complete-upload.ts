import {
  refusalOfArrival,
  writeCommitMark,
  type Ticket,
  type Tickets,
} from '@holdfast/shared/direct-uploads';
import { HoldfastError } from '@holdfast/foundation/errors';
import type { Logger } from '@holdfast/foundation/logging';
import {
  isOwnId,
  publicIdFor,
  readHostMetadata,
  recordFromAsset,
  resourceTypes,
  type MediaRecord,
} from '@holdfast/shared/media';
import type { AssetRef, HostAsset } from '@holdfast/shared/media-host';
import type { Answer, Input } from '../http/route.js';
import { readWait } from '../http/prefer.js';
import { acceptUpload } from '../uploads/receive-upload.js';
import { undoUpload } from '../uploads/undo-upload.js';
import { answerUpload, type AnswerDependencies } from '../uploads/upload-route.js';
import type { Uploads } from '../uploads/uploads.js';

/** `POST /api/media/uploads/:id/complete`: the client says that its file is on the host. Answers like an upload. */
export const completeUpload =
  (uploads: Uploads, tickets: Tickets, deps: AnswerDependencies) =>
  async (input: Input<'id'>): Promise<Answer> => {
    const record = await acceptArrival(uploads, tickets, input.params.id, input.context.log);
    return answerUpload(deps, input, record, readWait(input.header('prefer')));
  };

/**
 * The record of an upload that went straight to the host: the one that a webhook or a sync made already, or a new one once
 * the asset has been looked at and carries the commit mark. May be repeated, and may race with both.
 */
async function acceptArrival(uploads: Uploads, tickets: Tickets, id: string, log: Logger) {
  if (!isOwnId(id)) throw new HoldfastError('MEDIA_NOT_FOUND');
  const known = await uploads.catalog.find(id);
  if (known?.status === 'deleting') throw new HoldfastError('MEDIA_DELETING');
  if (known?.source === 'direct') return known;
  if (known !== null) throw new HoldfastError('MEDIA_NOT_FOUND', 'this file was not uploaded directly');
  if (await uploads.catalog.isTombstoned(id)) throw new HoldfastError('MEDIA_NOT_FOUND');
  const ticket = await tickets.find(id);
  const arrived = await findArrival(uploads, id, ticket);
  if (arrived === null) {
    if (ticket?.altered === false) throw new HoldfastError('UPLOAD_INCOMPLETE');
    if (ticket !== null)
      throw new HoldfastError(
        'HOST_ALTERS_UPLOADS',
        'the account stored the file under another name: remove the folder or prefix from its default upload preset',
      );
    if (await uploads.rebuilding.isOn()) throw new HoldfastError('CATALOG_REBUILDING');
    throw new HoldfastError('MEDIA_NOT_FOUND', 'no ticket with this id, or it has expired');
  }
  const record = await markAccepted(uploads, id, arrived);
  await acceptUpload(uploads, record, null);
  log.info('direct.accepted', { id, bytes: record.bytes });
  return record;
}

/** Checks what arrived, and writes the commit mark; what is refused is removed. */
async function markAccepted(uploads: Uploads, id: string, { asset, carried }: Arrived): Promise<MediaRecord> {
  if (carried.mark.state === 'committed') return recordFromAsset(asset, uploads.folder, 'direct', carried);
  const refusal = refusalOfArrival(asset, carried.mark, uploads.uploads);
  if (refusal !== null) {
    const { publicId, resourceType } = asset;
    await undoUpload(uploads, { id, ref: { publicId, resourceType } });
    throw refusal;
  }
  return writeCommitMark(uploads, { asset, carried });
}

/**
 * What the host has under the ticket's public id, whatever type it took it for; null when nothing is there. Without a
 * ticket (Redis may have lost it) the usual name is tried: the asset itself proves that we allowed it.
 */
async function findArrival({ host, folder }: Uploads, id: string, ticket: Ticket | null) {
  const publicId = ticket?.publicId ?? publicIdFor(folder, id);
  const usual = resourceTypes.map((resourceType): AssetRef => ({ publicId, resourceType }));
  for (const refs of [usual, withExtension(publicId, ticket?.extension ?? '')]) {
    const found = await Promise.all(refs.map((ref) => host.find(ref)));
    for (const asset of found) {
      const arrived = asset === null ? null : readArrival(asset, id);
      if (arrived !== null) return arrived;
    }
  }
  return null;
}

/** A host that was asked to tell the type by itself adds the extension of what it takes for raw, in whichever case. */
function withExtension(publicId: string, extension: string): AssetRef[] {
  if (extension === '') return [];
  return [...new Set([extension, extension.toLowerCase()])].map((ending) => {
    return { publicId: `${publicId}.${ending}`, resourceType: 'raw' };
  });
}

/** An asset that a client sent straight to the host, with what it carries. */
type Arrived = NonNullable<ReturnType<typeof readArrival>>;

function readArrival(asset: HostAsset, id: string) {
  const carried = readHostMetadata(asset);
  if (carried?.fields.id !== id || carried.fields.source !== 'direct') return null;
  const { mark, fields } = carried;
  return mark.state === 'started' ? null : { asset, carried: { mark, fields } };
}
