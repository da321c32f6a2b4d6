import type { Readable } from 'node:stream';
import { HoldfastError, isHoldfastError } from '@holdfast/foundation/errors';
import { abortReason, isAborted } from '@holdfast/foundation/lifecycle';
import type { Logger } from '@holdfast/foundation/logging';
import { isStream } from './body.js';
import { type AssetRef, circuitOpen, HostFailure, type HostHealth, type MediaHost } from './media-host.js';

/** What an implementation does. `guardHost` adds what its calls show of the host. */
export type HostCalls = Omit<MediaHost, 'health' | 'uploadRefusal'>;

export interface GuardOptions {
  log: Logger;
  /** Of a host in the network; a disk that fails, fails at once, and needs none. */
  circuit?: {
    /** Of our own assets; nothing is ever stored under the name that is looked for. */
    folder: string;
    /** Between a failure and the next probe. */
    probeAfterMs?: number;
  };
}

/** The circuit opens after this many failures in a row. */
const FAILURES = 5;
const PROBE_AFTER_MS = 5_000;
const PROBE_WITHIN_MS = 5_000;
/** A refusal asks callers to wait half as long as the host has been failing, within these bounds. */
const FIRST_RETRY_SECONDS = 5;
const LAST_RETRY_SECONDS = 30;

/**
 * The host with its health, and behind the circuit of this process: after five failures in a row calls fail at once, until the host
 * answers a probe (docs/decisions/0013-a-circuit-for-the-host.md).
 */
export function guardHost(host: HostCalls, { log, circuit }: GuardOptions): MediaHost {
  const noAsset: AssetRef = { publicId: `${circuit?.folder ?? ''}/host-check`, resourceType: 'image' };
  let failures = 0;
  let probe: NodeJS.Timeout | undefined;
  let closed = false;
  let health: Omit<HostHealth, 'circuit'> = {
    reachable: null,
    lastSuccessAt: null,
    lastFailureAt: null,
    lastErrorCode: null,
    failing: null,
  };

  const uploadRefusal = (): HoldfastError | null => {
    const { failing, lastErrorCode } = health;
    if (circuit === undefined || failures < FAILURES || failing === null || lastErrorCode === null)
      return null;
    const seconds = Math.ceil((Date.now() - Date.parse(failing.since)) / 2_000);
    return circuitOpen(lastErrorCode, Math.min(Math.max(seconds, FIRST_RETRY_SECONDS), LAST_RETRY_SECONDS));
  };
  /** Downloads take another path than all other calls: their failures must not keep anyone from listing the host. */
  const unwatched = async <T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> => {
    if (signal !== undefined && isAborted(signal)) throw abortReason(signal);
    const refusal = uploadRefusal();
    if (refusal !== null) throw refusal;
    try {
      return await work();
    } catch (error) {
      throw signal !== undefined && isAborted(signal) ? abortReason(signal) : error;
    }
  };
  const call = <T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> =>
    unwatched(signal, () => watched(signal, work));
  const watched = async <T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> => {
    const startedAt = performance.now();
    try {
      const result = await work();
      noteAnswer();
      return result;
    } catch (error) {
      const verdict = hostVerdict(error, signal, performance.now() - startedAt);
      if (verdict === 'answered') noteAnswer();
      else if (verdict !== null) noteFailure(verdict);
      throw error;
    }
  };

  const noteAnswer = (): void => {
    clearTimeout(probe);
    probe = undefined;
    if (health.failing !== null) log.info('host.recovered');
    if (uploadRefusal() !== null) log.info('host.circuit_closed');
    failures = 0;
    health = { ...health, reachable: true, failing: null, lastSuccessAt: new Date().toISOString() };
  };
  const noteFailure = ({ code, message, cause }: HoldfastError): void => {
    if (health.failing === null) log.warn('host.failing', { code });
    const at = new Date().toISOString();
    health = {
      ...health,
      reachable: false,
      lastFailureAt: at,
      lastErrorCode: code,
      failing: {
        since: health.failing?.since ?? at,
        message,
        refusesCredentials: cause instanceof HostFailure && cause.refusesCredentials,
      },
    };
    failures += 1;
    if (failures === FAILURES && circuit !== undefined) log.warn('host.circuit_opened', { code });
    scheduleProbe();
  };

  /** There may be no other call: what the last one showed of the host must not stand for ever. */
  const scheduleProbe = (): void => {
    if (closed || circuit === undefined || probe !== undefined) return;
    probe = setTimeout(() => {
      const signal = AbortSignal.timeout(PROBE_WITHIN_MS);
      watched(signal, () => host.find(noAsset, signal)).catch(() => {
        probe = undefined;
        if (health.failing !== null) scheduleProbe();
      });
    }, circuit.probeAfterMs ?? PROBE_AFTER_MS).unref();
  };

  return {
    ...host,
    put: async (request) => {
      const { body, signal } = request;
      if (isStream(body)) mayBreakUnread(body);
      try {
        return await call(signal, () => host.put(request));
      } finally {
        if (isStream(body)) body.destroy();
      }
    },
    annotate: (ref, metadata, signal) => call(signal, () => host.annotate(ref, metadata, signal)),
    find: (ref, signal) => call(signal, () => host.find(ref, signal)),
    remove: (ref, signal) => call(signal, () => host.remove(ref, signal)),
    list: (request) => call(request.signal, () => host.list(request)),
    changes: (request) => call(request.signal, () => host.changes(request)),
    confirm: (assetIds, signal) => call(signal, () => host.confirm(assetIds, signal)),
    putFile: (name, body, signal) => call(signal, () => host.putFile(name, body, signal)),
    open: (asset, signal) => unwatched(signal, async () => mayBreakUnread(await host.open(asset, signal))),
    readFile: (name, signal, bytes) => unwatched(signal, () => host.readFile(name, signal, bytes)),
    listFiles: (prefix, signal) => call(signal, () => host.listFiles(prefix, signal)),
    removeFile: (name, signal) => call(signal, () => host.removeFile(name, signal)),
    // Without uploads, this is the only call to a disk.
    freeBytes: host.kind === 'local' ? () => call(undefined, host.freeBytes) : host.freeBytes,
    health: () => ({ ...health, circuit: uploadRefusal() === null ? 'closed' : 'open' }),
    uploadRefusal,
    close: () => {
      closed = true;
      clearTimeout(probe);
      return host.close();
    },
  };
}

/** A stream that breaks while nothing reads it would end the process. The error stays with it, for the one who reads it later. */
function mayBreakUnread(stream: Readable): Readable {
  return stream.on('error', () => undefined);
}

/** A caller that gave up after this long without an answer has seen silence; one that left sooner has seen nothing. */
const SILENCE_MS = 2_000;

/**
 * What a rejected call says about the host as a whole: its failure; `answered` if it refused only this request; null for nothing, as
 * when the caller went away or the host asks to wait.
 */
function hostVerdict(
  error: unknown,
  signal: AbortSignal | undefined,
  elapsedMs: number,
): HoldfastError | 'answered' | null {
  if (isAborted(signal)) {
    const reason: unknown = signal?.reason;
    const isTimeLimit = reason instanceof Error && reason.name === 'TimeoutError';
    return isTimeLimit && elapsedMs >= SILENCE_MS ? new HoldfastError('HOST_TIMEOUT') : null;
  }
  if (isHoldfastError(error, 'HOST_LIMIT', 'HOST_CURSOR_SPENT', 'MEDIA_NOT_FOUND')) return 'answered';
  if (isHoldfastError(error, 'HOST_TIMEOUT')) return error;
  if (isHoldfastError(error, 'STORAGE_FULL')) return error.cause === undefined ? null : error;
  if (!isHoldfastError(error, 'HOST_REJECTED')) return null;
  const { cause } = error;
  // Without a cause it is about this one request. A refusal of our credentials meets every other request as well.
  const isOfThisRequest =
    cause instanceof HostFailure ? !cause.transient && !cause.refusesCredentials : cause === undefined;
  return isOfThisRequest ? 'answered' : error;
}
