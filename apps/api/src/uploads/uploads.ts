import type { Catalog } from '@holdfast/shared/catalog';
import type { UploadSettings } from '@holdfast/foundation/config';
import type { Backoff } from '@holdfast/foundation/lifecycle';
import type { Logger } from '@holdfast/foundation/logging';
import type { Claims } from '@holdfast/shared/idempotency';
import type { FulfilledClaim, Intents, RefusedAssets } from '@holdfast/shared/intents';
import type { MediaQueues } from '@holdfast/shared/jobs';
import type { MediaRecord } from '@holdfast/shared/media';
import type { MediaHost } from '@holdfast/shared/media-host';
import { createShares } from '@holdfast/shared/http';
import type { Shutdown } from '../http/shutdown.js';
import type { Rebuilding } from '../media/rebuilding.js';
import type { UploadSlots } from './admission.js';
import { createRetryQueue } from './retry-queue.js';
import { createUndoing } from './undo-upload.js';
import { createUploadLeases } from './upload-lease.js';

export interface UploadParts {
  uploads: UploadSettings;
  /** Of our own assets on the host. */
  folder: string;
  host: MediaHost;
  catalog: Catalog;
  claims: Claims;
  rebuilding: Rebuilding;
  /** How long a request waits for another one with the same Idempotency-Key. */
  claimWaitMs?: number;
  intents: Intents;
  refusedAssets: RefusedAssets;
  queues: MediaQueues;
  slots: UploadSlots;
  shutdown: Shutdown;
  log: Logger;
  /** For a loop that waits for the connection of the intents. */
  newBackoff: () => Backoff;
}

/** Clients give up after a minute or so; the lease of a dead request runs out well before. */
const CLAIM_WAIT_MS = 30_000;
/** Each asks Redis twice a second. */
const CLAIM_WAITERS = 128;

/** Everything that uploads share within one process. `stop` ends what it retries in the background. */
export function createUploads(parts: UploadParts) {
  const undoing = createUndoing(parts);
  const deferred = createDeferredUploads(parts);
  return {
    ...parts,
    claimWaitMs: parts.claimWaitMs ?? CLAIM_WAIT_MS,
    /** Requests that wait for another one with the same Idempotency-Key. */
    waiters: createShares(CLAIM_WAITERS),
    leases: createUploadLeases(parts),
    undoing,
    deferred,
    stop: (): void => {
      undoing.stop();
      deferred.stop();
    },
  };
}

/** What the functions of this folder work with. */
export type Uploads = ReturnType<typeof createUploads>;

/**
 * Uploads that were acknowledged while Redis was away. The host carries all of them, with the commit mark, so losing this
 * memory loses nothing: a sync finds them. It only makes them appear sooner, and answers for them until then.
 */
export function createDeferredUploads(
  parts: Pick<UploadParts, 'queues' | 'newBackoff' | 'log'> & { intents: Pick<Intents, 'accept'> },
) {
  const { intents, queues, log } = parts;
  const held = createRetryQueue(
    async ({ record, claim }: { record: MediaRecord; claim: FulfilledClaim | null }) => {
      const jobs = queues.jobsOf(record);
      const outcome = await intents.accept({ record, committed: true, claim, jobs });
      log.info('upload.deferred_settled', { id: record.id, outcome });
    },
    parts,
  );
  return {
    ...held,
    /** False when too many are held already: the upload must then be refused. Its claim is fulfilled with it. */
    add: (record: MediaRecord, claim: FulfilledClaim | null): boolean =>
      held.add(record.id, { record, claim }),
    find: (id: string): MediaRecord | null => {
      const upload = held.find(id);
      return upload === undefined ? null : { ...upload.record, status: 'deferred' };
    },
  };
}
