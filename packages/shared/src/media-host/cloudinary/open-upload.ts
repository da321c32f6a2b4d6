import type { Agent } from 'node:http';
import type { Writable } from 'node:stream';
import type { AgentPool, Lease } from './agent-pool.js';
import type { CloudinarySdk, UploadOptions } from './sdk.js';

/** An upload request of the SDK that has begun: what is written goes to the host. */
export interface OpenUpload {
  sink: Writable;
  lease: Lease;
}

/** No file holds the delimiter made of so many characters and the four before them by chance. */
const SHORTEST_BOUNDARY = 4;

/**
 * Begins an upload. The SDK makes the boundary between the parts of the form from random bytes and drops those that are
 * no lower-case letter or digit: once in a million uploads nothing is left, and the host refuses the form; once in two
 * thousand so little that a large file might hold it. Such a request is killed before anything of the file is sent, and
 * another one is begun. `settle` hears of the one that is given back only. Throws what the SDK throws.
 */
export function openUpload(
  sdk: CloudinarySdk,
  pool: AgentPool,
  optionsFor: (agent: Agent) => UploadOptions,
  settle: (reply: unknown, result?: unknown) => void,
): OpenUpload {
  for (;;) {
    const lease = pool.lease();
    let isKilled = false;
    let sink: ReturnType<CloudinarySdk['uploader']['upload_stream']>;
    try {
      sink = sdk.uploader.upload_stream(optionsFor(lease.agent), (reply, result) => {
        if (!isKilled) settle(reply, result);
      });
    } catch (error) {
      lease.destroy();
      throw error;
    }
    if ((sink.boundary?.length ?? SHORTEST_BOUNDARY) >= SHORTEST_BOUNDARY) return { sink, lease };
    isKilled = true;
    sink.destroy();
    lease.destroy();
  }
}
