import type { IncomingMessage } from 'node:http';
import type { Request } from 'express';
import type { UploadSettings } from '@holdfast/foundation/config';
import { HoldfastError } from '@holdfast/foundation/errors';
import { withinMs } from '@holdfast/foundation/lifecycle';
import { SLOWEST_BYTES_PER_SECOND } from '@holdfast/shared/media';
import { LOCAL_RESERVE_BYTES, type MediaHost } from '@holdfast/shared/media-host';
import { clientOf } from '../http/request-context.js';
import { createShares } from '@holdfast/shared/http';
import type { Shutdown } from '../http/shutdown.js';

/** Cloudinary's limit for one request; longer files go up in parts, which need to know that they may come. */
const MAX_WITHOUT_LENGTH = 100_000_000;
/** Room for the text parts and the boundaries around the file. */
const FORM_OVERHEAD_BYTES = 1_000_000;

export interface Admitted extends UploadSlot {
  /** Largest file this request may carry. */
  maxBytes: number;
  /** Upper bound of the file's size; undefined if the client does not announce one. */
  lengthAtMost: number | undefined;
}

/**
 * Decides on an upload before a byte of its body is read. Throws the refusal. A body that is only compared with an earlier
 * one does not need the host. `leave` must be called once the upload has ended, however.
 */
export async function admit(
  { uploads, host, slots, shutdown }: AdmissionDependencies,
  req: Request,
  needsHost = true,
): Promise<Admitted> {
  if (shutdown.draining.aborted) throw new HoldfastError('SHUTTING_DOWN');
  const lengthAtMost = contentLength(req);
  refuseOtherForms(req, lengthAtMost);
  if (lengthAtMost !== undefined && lengthAtMost > uploads.maxBytes + FORM_OVERHEAD_BYTES)
    throw new HoldfastError('FILE_TOO_LARGE', `files may have at most ${String(uploads.maxBytes)} bytes`);
  const slot = slots.take(clientOf(req), req);
  if (slot === null) throw new HoldfastError('OVERLOADED', 'too many uploads at once');
  try {
    const freeBytes = await host.freeBytes();
    if (freeBytes !== null && freeBytes - (lengthAtMost ?? 0) < LOCAL_RESERVE_BYTES)
      throw new HoldfastError('STORAGE_FULL');
    const refusal = needsHost ? host.uploadRefusal() : null;
    if (refusal !== null) throw refusal;
  } catch (error) {
    slot.leave();
    throw error;
  }
  const maxBytes =
    lengthAtMost === undefined ? Math.min(uploads.maxBytes, MAX_WITHOUT_LENGTH) : uploads.maxBytes;
  return { maxBytes, lengthAtMost, ...slot };
}

interface AdmissionDependencies {
  uploads: UploadSettings;
  host: Pick<MediaHost, 'freeBytes' | 'uploadRefusal'>;
  slots: UploadSlots;
  shutdown: Pick<Shutdown, 'draining'>;
}

function contentLength(req: IncomingMessage): number | undefined {
  const header = req.headers['content-length'];
  return header === undefined ? undefined : Number(header);
}

function refuseOtherForms(req: IncomingMessage, length: number | undefined): void {
  const type = req.headers['content-type'];
  if (type === undefined && (length ?? 0) === 0 && req.headers['transfer-encoding'] === undefined) {
    throw new HoldfastError('FILE_MISSING', 'send multipart/form-data with one part named "file"');
  }
  if (!/^multipart\/form-data\s*(?:;|$)/i.test(type ?? '')) {
    throw new HoldfastError('UNSUPPORTED_BODY', 'send multipart/form-data with one part named "file"');
  }
  const encoding = req.headers['content-encoding']?.trim().toLowerCase() ?? '';
  if (encoding !== '' && encoding !== 'identity')
    throw new HoldfastError('UNSUPPORTED_BODY', 'send the form without a Content-Encoding');
  if (!/;\s*boundary=(?:"[^"]{1,70}"|[^\s";]{1,70})/i.test(type ?? '')) {
    throw new HoldfastError('MALFORMED_BODY', 'the content type names no boundary');
  }
}

/** Within the second in which a client learns that Redis is away, after the patience of the rate limit. */
const PROMPT_MS = 600;
const late = Symbol('late');

/**
 * Redis' answer to the first question of an upload. A rented server may take longer over some commands, but a client
 * whose bytes have not been read yet gets its answer soon. What Redis does later is undone by the sweep, or expires. Throws QUEUE_UNAVAILABLE.
 */
export async function promptly<T>(work: Promise<T>): Promise<T> {
  const answer = await withinMs<T, typeof late>(PROMPT_MS, work, late);
  if (answer === late)
    throw new HoldfastError('QUEUE_UNAVAILABLE', 'Redis does not answer in time', { retryAfterSeconds: 2 });
  return answer;
}

/** The slot of one running upload. */
export interface UploadSlot {
  /** Frees it; further calls do nothing. */
  leave(): void;
  /** Ends the upload with a reason, from any side; aborted here when the place goes to another client. */
  readonly cancel: AbortController;
}

/** How many uploads run in this process now. */
export interface UploadSlots {
  readonly running: number;
  /** Whether a client that sends nothing yet would be refused. */
  readonly full: boolean;
  /** Null where this client gets no slot. */
  take(client: string, req: IncomingMessage): UploadSlot | null;
}

/** A client may be slow for this long at the start, even while others wait. */
const MAY_CRAWL_MS = 10_000;

export function createUploadSlots(max: number): UploadSlots {
  const shares = createShares(max);
  return {
    get running() {
      return shares.running;
    },
    get full() {
      return !shares.admits('');
    },
    take: (client, req) => {
      const cancel = new AbortController();
      const { socket } = req;
      const [startedAt, bytesAtStart] = [performance.now(), socket.bytesRead];
      /** Bytes a second that the client sends; what has arrived whole, or waits for the host, keeps nobody waiting. */
      const pace = (): number =>
        req.complete || req.readableLength > 0
          ? Infinity
          : ((socket.bytesRead - bytesAtStart) * 1_000) / (performance.now() - startedAt);
      const leave = shares.take(client, {
        giveUp: () =>
          cancel.abort(
            new HoldfastError('OVERLOADED', 'too many uploads at once, and this one was the slowest'),
          ),
        pace,
        crawls: () => performance.now() - startedAt > MAY_CRAWL_MS && pace() < SLOWEST_BYTES_PER_SECOND,
      });
      return leave === null ? null : { leave, cancel };
    },
  };
}
