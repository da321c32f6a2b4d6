import type { Catalog } from '@holdfast/shared/catalog';
import type { UploadSettings } from '@holdfast/shared/config';
import { judgeArrival, writeCommitMark, type Arrival, type Tickets } from '@holdfast/shared/direct-uploads';
import { HoldfastError } from '@holdfast/shared/errors';
import { isAccepted, type Intents } from '@holdfast/shared/intents';
import type { MediaQueues } from '@holdfast/shared/jobs';
import type { Logger } from '@holdfast/shared/logging';
import { isOwnId, recordFromAsset, type MediaRecord } from '@holdfast/shared/media';
import type { HostAsset, MediaHost } from '@holdfast/shared/media-host';
import type { Rebuilding } from '../media/rebuilding.js';
import type { Undoing } from '../uploads/undo-upload.js';
import { findArrival, type Arrived } from './find-arrival.js';
import type { RenamedArrivals } from './renamed-arrivals.js';

export interface ArrivalDependencies {
  catalog: Pick<Catalog, 'find' | 'isTombstoned'>;
  tickets: Pick<Tickets, 'find' | 'used'>;
  host: Pick<MediaHost, 'find' | 'annotate'>;
  intents: Pick<Intents, 'accept'>;
  queues: Pick<MediaQueues, 'jobsOf'>;
  undoing: Pick<Undoing, 'undo'>;
  renamedArrivals: RenamedArrivals;
  rebuilding: Pick<Rebuilding, 'isOn'>;
  uploads: Pick<UploadSettings, 'maxBytes' | 'allowedTypes'>;
  folder: string;
}

/**
 * The record of an upload that went straight to the host: the one that a webhook or a sync made already, or a new one once
 * the asset has been looked at and carries the commit mark. May be repeated, and may race with both.
 */
export async function acceptArrival(
  deps: ArrivalDependencies,
  id: string,
  log: Logger,
): Promise<MediaRecord> {
  if (!isOwnId(id)) throw new HoldfastError('MEDIA_NOT_FOUND');
  const known = await deps.catalog.find(id);
  if (known !== null) return alreadyThere(known);
  if (await deps.catalog.isTombstoned(id)) throw new HoldfastError('MEDIA_NOT_FOUND');
  const ticket = await deps.tickets.find(id);
  const arrived = await findArrival(deps, id, ticket);
  if (arrived === null) {
    if (ticket !== null) {
      await deps.renamedArrivals.refuse(id, ticket);
      throw new HoldfastError('UPLOAD_INCOMPLETE');
    }
    if (await deps.rebuilding.isOn()) throw new HoldfastError('CATALOG_REBUILDING');
    throw new HoldfastError('MEDIA_NOT_FOUND', 'no upload was signed under this id, or it was too long ago');
  }
  const record = await markWelcome(deps, id, arrived);
  await accept(deps, record, log);
  return record;
}

function alreadyThere(record: MediaRecord): MediaRecord {
  if (record.status === 'deleting') throw new HoldfastError('MEDIA_DELETING');
  if (record.source !== 'direct')
    throw new HoldfastError('MEDIA_NOT_FOUND', 'this media was not uploaded directly');
  return record;
}

type Refusal = (asset: HostAsset, uploads: ArrivalDependencies['uploads']) => HoldfastError;

const refusals: Record<Exclude<Arrival, 'welcome'>, Refusal> = {
  late: () => new HoldfastError('MEDIA_NOT_FOUND', 'the file came after the time that it was signed for'),
  'too large': ({ bytes }, { maxBytes }) =>
    new HoldfastError(
      'FILE_TOO_LARGE',
      `the file has ${String(bytes)} bytes, files may have at most ${String(maxBytes)}`,
    ),
  'other kind': ({ resourceType, format }, { allowedTypes }) =>
    new HoldfastError(
      'UNSUPPORTED_TYPE',
      `files of type ${format ?? resourceType} are not accepted; accepted types are ${allowedTypes.join(', ')}`,
    ),
};

/** Looks at what came, and writes the commit mark; what is not welcome is removed. */
async function markWelcome(
  { host, catalog, uploads, undoing, folder }: ArrivalDependencies,
  id: string,
  { asset, carried }: Arrived,
): Promise<MediaRecord> {
  if (carried.mark.state === 'committed') return recordFromAsset(asset, folder, 'direct', carried);
  const arrival = judgeArrival(asset, carried.mark, uploads);
  if (arrival !== 'welcome') {
    const ref = { publicId: asset.publicId, resourceType: asset.resourceType };
    await undoing.undo({ id, ref });
    throw refusals[arrival](asset, uploads);
  }
  return writeCommitMark({ host, catalog, folder }, { asset, carried });
}

async function accept(
  { intents, queues, tickets }: ArrivalDependencies,
  record: MediaRecord,
  log: Logger,
): Promise<void> {
  const { id } = record;
  const jobs = await queues.jobsOf(record);
  const outcome = await intents.accept({ record, committed: true, jobs });
  if (outcome === 'tombstoned') throw new HoldfastError('MEDIA_NOT_FOUND');
  if (!isAccepted(outcome)) throw new HoldfastError('UPLOAD_EXPIRED', undefined, { retryAfterSeconds: 30 });
  if (outcome === 'unqueued') log.warn('upload.not_queued', { id });
  await tickets.used(id).catch(() => undefined);
  log.info('direct.accepted', { id, bytes: record.bytes });
}
