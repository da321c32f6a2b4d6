import type { UploadSettings } from '@holdfast/shared/config';
import type { Intents, RefusedAssets } from '@holdfast/shared/intents';
import type { MediaQueues } from '@holdfast/shared/jobs';
import { service, type Service } from '@holdfast/shared/lifecycle';
import type { Logger } from '@holdfast/shared/logging';
import type { MediaHost } from '@holdfast/shared/media-host';
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
  log: Logger;
}

export type Uploads = UploadDependencies & { service: Service };

/** Everything that uploads share within one process. Its service stops the timers; draining is `admission.drain`. */
export function createUploads({
  uploads,
  folder,
  host,
  intents,
  refusedAssets,
  queues,
  log,
}: UploadParts): Uploads {
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
    admission: createAdmission({ uploads, host }),
    allowedTypes: uploads.allowedTypes,
    maxBacklog: uploads.maxBacklog,
    service: service('uploads', {
      stop: () => {
        undoing.stop();
        deferred.stop();
      },
    }),
  };
}
