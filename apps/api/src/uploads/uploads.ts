import type { Catalog } from '@holdfast/shared/catalog';
import type { UploadSettings } from '@holdfast/foundation/config';
import type { Claims } from '@holdfast/shared/idempotency';
import type { Intents, RefusedAssets } from '@holdfast/shared/intents';
import type { MediaQueues } from '@holdfast/shared/jobs';
import type { Backoff } from '@holdfast/foundation/lifecycle';
import type { Logger } from '@holdfast/foundation/logging';
import type { MediaHost } from '@holdfast/shared/media-host';
import { createShares } from '@holdfast/shared/http';
import type { Shutdown } from '../http/shutdown.js';
import type { Rebuilding } from '../media/rebuilding.js';
import { createAdmission, type UploadSlots } from './admission.js';
import { createDeferredUploads } from './deferred-uploads.js';
import { undetectableTypes } from './file-kind.js';
import type { KeyedDependencies } from './idempotency.js';
import { createIntentOpener } from './open-intent.js';
import { createUndoing } from './undo-upload.js';
import { createUploadLeases } from './upload-lease.js';

export interface UploadParts {
  uploads: UploadSettings;
  folder: string;
  host: MediaHost;
  catalog: Catalog;
  claims: Claims;
  rebuilding: Rebuilding;
  /** See createIdSecret. */
  idSecret: () => Promise<Buffer>;
  /** How long a request waits for another one with the same Idempotency-Key. */
  claimWaitMs?: number;
  intents: Intents;
  /** Whether the connection of the intents is there, as far as is known without asking. */
  isConnected: () => boolean;
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

export type Uploads = KeyedDependencies & { stop(): void };

/** Everything that uploads share within one process. `stop` ends what it retries in the background. */
export function createUploads(parts: UploadParts): Uploads {
  const { uploads, slots, log, newBackoff } = parts;
  const undetectable = undetectableTypes(uploads.allowedTypes);
  if (undetectable.length > 0) log.warn('uploads.types_undetectable', { types: undetectable });
  const undoing = createUndoing({ ...parts, backoff: newBackoff() });
  const deferred = createDeferredUploads({ ...parts, backoff: newBackoff() });
  const intentOpener = createIntentOpener({
    ...parts,
    running: () => slots.running,
    maxBacklog: uploads.maxBacklog,
  });
  return {
    ...parts,
    claimWaitMs: parts.claimWaitMs ?? CLAIM_WAIT_MS,
    waiters: createShares(CLAIM_WAITERS),
    allowedTypes: uploads.allowedTypes,
    admission: createAdmission(parts),
    intentOpener,
    leases: createUploadLeases(parts),
    undoing,
    deferred,
    stop: () => {
      intentOpener.stop();
      undoing.stop();
      deferred.stop();
    },
  };
}
