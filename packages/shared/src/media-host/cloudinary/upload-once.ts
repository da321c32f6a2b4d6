import type { Agent } from 'node:http';
import { pipeline, type Readable, type Writable } from 'node:stream';
import { HoldfastError } from '../../errors/index.js';
import { abortReason, onAbort } from '../../lifecycle/index.js';
import { toSourceError } from '../source-error.js';
import type { AgentPool } from './agent-pool.js';
import { openUpload, type OpenUpload } from './open-upload.js';
import type { CloudinarySdk, UploadOptions } from './sdk.js';

export interface UploadTask {
  optionsFor: (agent: Agent) => UploadOptions;
  /** Chunks in memory, or a stream that is destroyed in every outcome. */
  body: readonly Buffer[] | Readable;
  signal: AbortSignal;
  /** For the whole request; the idle time is in the options. */
  deadlineMs: number;
}

/**
 * One upload request. The SDK alone may call back twice, never, or throw; here it settles exactly once: with the
 * reply, or with what went wrong. Only the SDK's callback means success. The agent is kept for the next upload
 * unless something of this one may still be on its socket.
 */
export function uploadOnce(sdk: CloudinarySdk, pool: AgentPool, task: UploadTask): Promise<unknown> {
  const { optionsFor, body, signal, deadlineMs } = task;
  return new Promise((resolve, reject) => {
    let settled = false;
    let upload: OpenUpload | undefined;
    const finish = (error: unknown, reply?: unknown): void => {
      if (settled) return;
      settled = true;
      clearTimeout(timer);
      forgetAbort();
      const sent = upload?.sink.writableFinished === true;
      if ('destroy' in body) body.destroy();
      if (error === undefined && sent) {
        upload?.lease.release();
      } else {
        // An early reply leaves sink, source and socket open.
        upload?.sink.destroy();
        upload?.lease.destroy();
      }
      // oxlint-disable-next-line typescript/prefer-promise-reject-errors -- converted once, by the caller
      if (error !== undefined) reject(error);
      else resolve(reply);
    };
    const timer = setTimeout(() => finish(new HoldfastError('HOST_TIMEOUT')), deadlineMs);
    const forgetAbort = onAbort(signal, finish);
    if (signal.aborted) {
      finish(abortReason(signal));
      return;
    }
    try {
      upload = openUpload(sdk, pool, optionsFor, (error, reply) => finish(error ?? undefined, reply));
      send(body, upload.sink, finish);
    } catch (error) {
      finish(error);
    }
  });
}

function send(body: UploadTask['body'], sink: Writable, fail: (error: unknown) => void): void {
  if ('destroy' in body) {
    pipeline(body, sink, (error) => {
      if (error) fail(toSourceError(error));
    });
    return;
  }
  for (const chunk of body.slice(0, -1)) sink.write(chunk);
  sink.end(body.at(-1));
}
