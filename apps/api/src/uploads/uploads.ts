import type { UploadSettings } from '@holdfast/shared/config';
import type { Intents, RefusedAssets } from '@holdfast/shared/intents';
import type { MediaQueues } from '@holdfast/shared/jobs';
import type { Logger } from '@holdfast/shared/logging';
import type { MediaHost } from '@holdfast/shared/media-host';
import type { Shutdown } from '../http/shutdown.js';
import type { UploadSlots } from './upload-slots.js';
import { createAdmission } from './admission.js';
import { createDeferredUploads } from './deferred-uploads.js';
import { createHeartbeat } from './heartbeat.js';
import type { UploadDependencies } from './receive-upload.js';
import { createUndoing } from './undo-upload.js';

export interface UploadParts {
  uploads: UploadSettings;
  folder: string;
  host: MediaHost;
  intents: Intents;
  refusedAssets: RefusedAssets;
  queues: MediaQueues;
  slots: UploadSlots;
  shutdown: Shutdown;
  log: Logger;
}

export type Uploads = UploadDependencies & { stop(): void };

/** Everything that uploads share within one process. `stop` ends what it retries in the background. */
export function createUploads(parts: UploadParts): Uploads {
  const { uploads, folder, host, intents, refusedAssets, queues, slots, shutdown, log } = parts;
  const undoing = createUndoing({ host, intents, refusedAssets, log });
  const deferred = createDeferredUploads({ intents, queues, log });
  return {
    host,
    intents,
    queues,
    log,
    folder,
    undoing,
    deferred,
    heartbeat: createHeartbeat(intents, log),
    shutdown,
    admission: createAdmission({ uploads, host, slots, shutdown }),
    allowedTypes: uploads.allowedTypes,
    maxBacklog: uploads.maxBacklog,
    stop: () => {
      undoing.stop();
      deferred.stop();
    },
  };
}
