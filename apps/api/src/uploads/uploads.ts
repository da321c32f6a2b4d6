import type { UploadSettings } from '@holdfast/foundation/config';
import type { Backoff } from '@holdfast/foundation/lifecycle';
import type { Logger } from '@holdfast/foundation/logging';
import type { Catalog } from '@holdfast/shared/catalog';
import { createShares } from '@holdfast/shared/http';
import type { Claims } from '@holdfast/shared/idempotency';
import type { Intents } from '@holdfast/shared/intents';
import type { MediaQueues } from '@holdfast/shared/jobs';
import type { MediaHost } from '@holdfast/shared/media-host';
import type { Shutdown } from '../http/shutdown.js';
import type { Rebuilding } from '../media/rebuilding.js';
import { createUploadSlots } from './admission.js';
import { createDeferredUploads } from './deferred-uploads.js';

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
  queues: MediaQueues;
  shutdown: Shutdown;
  log: Logger;
  /** For a loop that waits for the connection of the intents. */
  newBackoff: () => Backoff;
}

/** Clients give up after a minute or so; the lease of a dead request runs out well before. */
const CLAIM_WAIT_MS = 30_000;
/** Each asks Redis twice a second. */
const CLAIM_WAITERS = 128;

/** Everything that uploads share within one process. */
export function createUploads(parts: UploadParts) {
  return {
    ...parts,
    claimWaitMs: parts.claimWaitMs ?? CLAIM_WAIT_MS,
    /** Requests that wait for another one with the same Idempotency-Key. */
    waiters: createShares(CLAIM_WAITERS),
    slots: createUploadSlots({ ...parts, max: parts.uploads.maxConcurrent }),
    deferred: createDeferredUploads(parts),
  };
}

/** What the functions of this folder work with. */
export type Uploads = ReturnType<typeof createUploads>;
