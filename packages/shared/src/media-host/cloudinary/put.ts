import type { Agent } from 'node:http';
import { bytesInMemory, isStream } from '../body.js';
import type { PutRequest } from '../media-host.js';
import type { AgentPool } from './agent-pool.js';
import { encodeContext } from './encode-context.js';
import type { Placement } from './placement.js';
import type { CallOptions, CloudinarySdk, PlacementOptions, UploadOptions } from './sdk.js';
import { uploadDeadlineMs, uploadIdleMs, type HostTimeouts } from './timeouts.js';
import { uploadOnce } from './upload-once.js';
import { MAX_REQUEST_BYTES, PART_BYTES, uploadInParts } from './upload-parts.js';

export interface PutParts {
  sdk: CloudinarySdk;
  pool: AgentPool;
  timeouts: HostTimeouts;
  access: (agent: Agent, timeoutMs: number) => CallOptions;
  place: Placement['place'];
  parts?: { above: number; bytes: number };
}

/** Sends a body in one request, or in parts where it is too large for one; gives the SDK's last reply or its raw error. */
export function createPut({ sdk, pool, timeouts, access, place, parts }: PutParts) {
  const { above, bytes: partBytes } = parts ?? { above: MAX_REQUEST_BYTES, bytes: PART_BYTES };

  const optionsFor = (
    { ref, metadata }: PutRequest,
    placement: PlacementOptions,
    agent: Agent,
    bytes: number,
  ): UploadOptions => ({
    ...access(agent, uploadIdleMs(timeouts, bytes)),
    resource_type: ref.resourceType,
    type: 'upload',
    public_id: ref.publicId,
    // With a fixed public id, a repeated upload finds the first one instead of replacing it.
    overwrite: false,
    // The name is written unescaped into a header; the real one travels in the context.
    filename: 'file',
    disable_promises: true,
    context: encodeContext(metadata.context),
    ...(metadata.tags.length === 0 ? {} : { tags: metadata.tags.join(',') }),
    ...placement,
  });

  const inParts = (request: PutRequest, placement: PlacementOptions, size: number): Promise<unknown> => {
    const { body, signal } = request;
    const limits = { signal, idleMs: uploadIdleMs(timeouts, partBytes), partBytes };
    return uploadInParts(body, limits, ({ chunks, contentRange, uploadId }) =>
      uploadOnce(sdk, pool, {
        optionsFor: (agent) => ({
          // The last part is answered when the host has worked on the whole file.
          ...optionsFor(request, placement, agent, size),
          content_range: contentRange,
          x_unique_upload_id: uploadId,
        }),
        body: chunks,
        signal,
        deadlineMs: uploadDeadlineMs(timeouts, size),
      }),
    );
  };

  return (request: PutRequest): Promise<unknown> => {
    const { ref, body, metadata, signal } = request;
    const size = bytesInMemory(body) ?? request.contentLength ?? MAX_REQUEST_BYTES;
    const kind = size > above || isStream(body) ? 'stream' : 'upload';
    return place({ ref, metadata, kind }, (placement) =>
      size > above
        ? inParts(request, placement, size)
        : uploadOnce(sdk, pool, {
            optionsFor: (agent) => optionsFor(request, placement, agent, size),
            body: Buffer.isBuffer(body) ? [body] : body,
            signal,
            deadlineMs: uploadDeadlineMs(timeouts, size),
          }),
    );
  };
}
