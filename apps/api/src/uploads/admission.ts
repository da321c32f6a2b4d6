import type { IncomingMessage } from 'node:http';
import type { Request } from 'express';
import { HoldfastError } from '@holdfast/foundation/errors';
import { withinMs } from '@holdfast/foundation/lifecycle';
import type { Logger } from '@holdfast/foundation/logging';
import { createShares } from '@holdfast/shared/http';
import { CLAIM_LEASE_MS, type Claims, type HeldClaim } from '@holdfast/shared/idempotency';
import { ACKNOWLEDGE_WITHIN_MS, type Intents } from '@holdfast/shared/intents';
import { SLOWEST_BYTES_PER_SECOND } from '@holdfast/shared/media';
import {
  LOCAL_RESERVE_BYTES,
  type AssetRef,
  type MediaHost,
  type PutResult,
} from '@holdfast/shared/media-host';
import { clientOf } from '../http/request-context.js';
import type { Shutdown } from '../http/shutdown.js';
import type { Uploads } from './uploads.js';

/** Cloudinary's limit for one request; longer files go up in parts, which need to know that they may come. */
const MAX_WITHOUT_LENGTH = 100_000_000;
/** Room for the text parts and the boundaries around the file. */
const FORM_OVERHEAD_BYTES = 1_000_000;

/**
 * Decides on an upload before a byte of its body is read. Throws the refusal. A body that is only compared with an earlier
 * one does not need the host. Call `end` however the upload ended.
 */
export async function admit(
  deps: Pick<Uploads, 'uploads' | 'host' | 'slots' | 'shutdown'>,
  req: Request,
  needsHost = true,
): Promise<Upload> {
  const { maxBytes } = deps.uploads;
  const header = req.headers['content-length'];
  const lengthAtMost = header === undefined ? undefined : Number(header);
  refuseOtherForms(req, lengthAtMost);
  if (lengthAtMost !== undefined && lengthAtMost > maxBytes + FORM_OVERHEAD_BYTES)
    throw new HoldfastError('FILE_TOO_LARGE', `files may have at most ${String(maxBytes)} bytes`);
  const upload = deps.slots.take(clientOf(req), req);
  if (upload === null) throw tooManyUploads();
  try {
    await requireUploadsPossible(deps, lengthAtMost, needsHost);
  } catch (error) {
    upload.end();
    throw error;
  }
  upload.lengthAtMost = lengthAtMost;
  upload.maxBytes = lengthAtMost === undefined ? Math.min(maxBytes, MAX_WITHOUT_LENGTH) : maxBytes;
  return upload;
}

/** Throws why no upload is accepted now, whatever it brings: the end of this process, its disk or its host. */
export async function requireUploadsPossible(
  {
    host,
    shutdown,
  }: { host: Pick<MediaHost, 'freeBytes' | 'uploadRefusal'>; shutdown: Pick<Shutdown, 'draining'> },
  bytes = 0,
  needsHost = true,
): Promise<void> {
  if (shutdown.draining.aborted) throw new HoldfastError('SHUTTING_DOWN');
  const freeBytes = await host.freeBytes();
  if (freeBytes !== null && freeBytes - bytes < LOCAL_RESERVE_BYTES) throw new HoldfastError('STORAGE_FULL');
  const refusal = needsHost ? host.uploadRefusal() : null;
  if (refusal !== null) throw refusal;
}

export const tooManyUploads = (): HoldfastError =>
  new HoldfastError('OVERLOADED', 'too many uploads at once');

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

/**
 * Redis' answer to the first question of an upload. A rented server may take longer over some commands, but a client
 * whose bytes have not been read yet gets its answer soon. What Redis does later is undone by the sweep, or expires. Throws QUEUE_UNAVAILABLE.
 */
export async function promptly<T extends object | string>(work: Promise<T>): Promise<T> {
  const answer = await withinMs(PROMPT_MS, work, null);
  if (answer === null)
    throw new HoldfastError('QUEUE_UNAVAILABLE', 'Redis does not answer in time', { retryAfterSeconds: 2 });
  return answer;
}

const CHECK_EVERY_MS = 5_000;
/** Before the lease of a claim expires, with room for a removal. */
const CLAIM_SURE_MS = CLAIM_LEASE_MS - 5_000;

/** One upload under way: what it may bring, what it holds in Redis, and how far it has come. */
export class Upload {
  /**
   * Ends the upload with a reason, from any side. Aborted here when the client is gone or too slow, the place goes to another client,
   * the process ends, the sweep has given the upload up, or another try has its claim.
   */
  readonly cancel = new AbortController();
  /** Largest file this request may carry. */
  maxBytes = 0;
  /** Upper bound of the file's size; undefined if the client does not announce one. */
  lengthAtMost: number | undefined;
  /** Empty before there is an intent. From then on intent and claim are kept alive. */
  id = '';
  /** Of an upload with an Idempotency-Key. */
  claim: HeldClaim | null = null;
  /** When Redis was last asked to keep them alive and did, by `performance.now()`. */
  acknowledgedAt = -Infinity;
  /** Where the host may have something of it; null before a byte is sent there. */
  ref: AssetRef | null = null;
  /** The running transfer of a large body. */
  transfer: Promise<PutResult> | null = null;
  /** Redis may have accepted it. */
  acceptanceAsked = false;

  constructor(
    /** Whether the client has stopped sending since the last call, or sends so slowly that the upload would never end. */
    readonly isTooSlow: () => boolean,
    /** Frees the slot; further calls do nothing. */
    readonly end: () => void,
  ) {}

  /** Whether the upload may be acknowledged without asking Redis again: until then nobody else may remove its asset or take it over. */
  isFresh(): boolean {
    const sureMs = this.claim === null ? ACKNOWLEDGE_WITHIN_MS : CLAIM_SURE_MS;
    return performance.now() - this.acknowledgedAt < sureMs;
  }
}

/** The uploads that run in this process now. One timer for all of them, and one command for all intents, only while there are any. */
export function createUploadSlots(deps: {
  max: number;
  intents: Pick<Intents, 'beat'>;
  claims: Pick<Claims, 'renew'>;
  shutdown: Pick<Shutdown, 'cut'>;
  log: Logger;
}) {
  const { intents, claims, shutdown, log } = deps;
  const shares = createShares(deps.max);
  const running = new Set<Upload>();
  let timer: NodeJS.Timeout | undefined;

  const beat = async (uploads: readonly Upload[]): Promise<void> => {
    const keyed = uploads.flatMap(({ claim }) => claim ?? []);
    const askedAt = performance.now();
    try {
      const [states, renewed] = await Promise.all([
        intents.beat(uploads.map(({ id }) => id)),
        claims.renew(keyed),
      ]);
      const lost = new Set(keyed.filter((_, index) => renewed[index] === false));
      for (const [index, upload] of uploads.entries()) {
        const { claim, cancel } = upload;
        if (states[index] === 'live') upload.acknowledgedAt = askedAt;
        if (states[index] === 'dead' || (claim !== null && lost.has(claim)))
          cancel.abort(new HoldfastError('UPLOAD_EXPIRED'));
      }
    } catch (error) {
      // Redis is away: the acknowledgements grow old by themselves, and isFresh says so.
      log.debug('upload.heartbeat_failed', { error });
    }
  };
  const check = (): void => {
    for (const { isTooSlow, cancel } of running)
      if (isTooSlow()) cancel.abort(new HoldfastError('REQUEST_TIMEOUT'));
    const holding = [...running].filter(({ id }) => id !== '');
    if (holding.length > 0) void beat(holding);
  };
  shutdown.cut.addEventListener('abort', () => {
    for (const { cancel } of running) cancel.abort(new HoldfastError('SHUTTING_DOWN'));
  });

  return {
    get running(): number {
      return shares.running;
    },
    /** Whether a client that sends nothing yet would be refused. */
    get full(): boolean {
      return !shares.admits('');
    },
    /** Null where this client gets no slot. */
    take: (client: string, req: IncomingMessage): Upload | null => {
      const { pace, crawls, isTooSlow } = paceOf(req);
      const giveUp = (): void =>
        upload.cancel.abort(
          new HoldfastError('OVERLOADED', 'too many uploads at once, and this one was the slowest'),
        );
      const leave = shares.take(client, { giveUp, pace, crawls });
      if (leave === null) return null;
      const onAborted = (): void => upload.cancel.abort(new HoldfastError('CLIENT_ABORTED'));
      const upload = new Upload(isTooSlow, () => {
        req.off('aborted', onAborted);
        leave();
        running.delete(upload);
        if (running.size > 0) return;
        clearInterval(timer);
        timer = undefined;
      });
      req.once('aborted', onAborted);
      // What happened before is not announced again.
      if (req.destroyed && !req.readableEnded) onAborted();
      running.add(upload);
      timer ??= setInterval(check, CHECK_EVERY_MS);
      return upload;
    },
  };
}

export type UploadSlots = ReturnType<typeof createUploadSlots>;

/** A client may be slow for this long at the start, even while others wait. */
const MAY_CRAWL_MS = 10_000;
const SILENT_MS = 15_000;
const START_MS = 60_000;

/** How fast a client sends. Time in which we ourselves do not read, because the host is slower than the client, does not count. */
function paceOf(req: IncomingMessage) {
  const { socket } = req;
  const startedAt = performance.now();
  const bytesAtStart = socket.bytesRead;
  let lastBytes = bytesAtStart;
  let movedAt = startedAt;
  /** Bytes a second that the client sends; what has arrived whole, or waits for the host, keeps nobody waiting. */
  const pace = (): number =>
    req.complete || req.readableLength > 0
      ? Infinity
      : ((socket.bytesRead - bytesAtStart) * 1_000) / (performance.now() - startedAt);
  return {
    pace,
    /** So slow that any client may have its place. */
    crawls: () => performance.now() - startedAt > MAY_CRAWL_MS && pace() < SLOWEST_BYTES_PER_SECOND,
    isTooSlow: (): boolean => {
      if (req.complete) return false;
      const now = performance.now();
      const hostIsBusy = req.readableLength > 0 && !req.destroyed;
      if (socket.bytesRead !== lastBytes || hostIsBusy) {
        lastBytes = socket.bytesRead;
        movedAt = now;
      }
      const allowedMs = START_MS + ((lastBytes - bytesAtStart) / SLOWEST_BYTES_PER_SECOND) * 1_000;
      return now - movedAt >= SILENT_MS || (!hostIsBusy && now - startedAt > allowedMs);
    },
  };
}
