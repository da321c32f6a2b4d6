import { type ErrorCode, type HoldfastError, isHoldfastError } from '@holdfast/foundation/errors';
import { abortReason, isAborted } from '@holdfast/foundation/lifecycle';
import type { Logger } from '@holdfast/foundation/logging';
import { isStream } from './body.js';
import { circuitOpen, HostFailure } from './failures.js';
import type { AssetRef, HostHealth, MediaHost } from './media-host.js';

/** What an implementation does. `guardHost` adds what its calls show of the host. */
export type HostCalls = Omit<MediaHost, 'health' | 'uploadRefusal' | 'admitUpload'>;

/**
 * closed: calls go to the host. open: it does not answer, and only an occasional probe is sent. half-open: it answers
 * again, and single uploads show whether it accepts them.
 */
export type CircuitState = HostHealth['circuit'];

/** `transfer` sends the bytes of an upload, `call` is everything else: a host that answers calls may still accept no bytes. */
type HostWork = 'transfer' | 'call';

export interface GuardOptions {
  log: Logger;
  /** Milliseconds since the epoch. */
  now?: () => number;
  /** Of a host in the network; a disk that fails, fails at once, and needs none. */
  circuit?: {
    /** Of our own assets; nothing is ever stored under the name that is looked for. */
    folder: string;
    /** Between a failure and the next probe, and between single uploads. */
    probeAfterMs?: number;
  };
}

/** The circuit opens after this many failures of one kind in a row, each within a minute of the one before. */
const FAILURES = 5;
const WINDOW_MS = 60_000;
const PROBE_AFTER_MS = 5_000;
const PROBE_WITHIN_MS = 5_000;
/** A refusal asks callers to wait half as long as the host has been away, within these bounds. */
const FIRST_RETRY_SECONDS = 5;
const LAST_RETRY_SECONDS = 30;

const events: Record<CircuitState, string> = {
  closed: 'host.circuit_closed',
  open: 'host.circuit_opened',
  'half-open': 'host.circuit_half_open',
};

/**
 * The host with its health, and behind the circuit of this process: while a host in the network does not answer, calls fail at once
 * (docs/decisions/0013-a-circuit-for-the-host.md).
 */
export function guardHost(host: HostCalls, options: GuardOptions): MediaHost {
  const { log, now = Date.now, circuit } = options;
  const probeAfterMs = circuit?.probeAfterMs ?? PROBE_AFTER_MS;
  const noAsset: AssetRef = { publicId: `${circuit?.folder ?? ''}/host-check`, resourceType: 'image' };
  const streak: Record<HostWork, number> = { transfer: 0, call: 0 };
  let state: CircuitState = 'closed';
  let changedAt = -Infinity;
  let failedAt = -Infinity;
  let admittedAt = -Infinity;
  let openedFor: HostWork = 'call';
  let code: ErrorCode = 'HOST_TIMEOUT';
  let timer: NodeJS.Timeout | undefined;
  let closed = false;
  let health: Omit<HostHealth, 'circuit' | 'reachable'> = {
    lastSuccessAt: null,
    lastFailureAt: null,
    lastErrorCode: null,
    failing: null,
  };

  const guard = async <T>(
    kind: HostWork,
    signal: AbortSignal | undefined,
    work: () => Promise<T>,
  ): Promise<T> => {
    admitCall(signal);
    const startedAt = performance.now();
    try {
      const result = await work();
      noteAnswer();
      onAnswer(kind);
      return result;
    } catch (error) {
      const verdict = hostVerdict(error, signal, performance.now() - startedAt);
      if (verdict === 'answered') {
        noteAnswer();
        onAnswer(kind);
      } else if (verdict !== null) {
        if (isHoldfastError(error)) noteFailure(error);
        onFailure(kind, startedAt, verdict);
      }
      throw error;
    }
  };
  const call = <T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> =>
    guard('call', signal, work);

  const noteAnswer = (): void => {
    if (health.failing !== null) log.info('host.recovered');
    health = { ...health, failing: null, lastSuccessAt: new Date(now()).toISOString() };
  };
  const reachable = (): boolean | null => {
    if (health.failing !== null) return false;
    return health.lastSuccessAt === null ? null : true;
  };
  const noteFailure = (error: HoldfastError): void => {
    if (health.failing === null) log.warn('host.failing', { code: error.code });
    const at = new Date(now()).toISOString();
    health = {
      ...health,
      lastFailureAt: at,
      lastErrorCode: error.code,
      failing: {
        since: health.failing?.since ?? at,
        message: error.message,
        refusesCredentials: error.cause instanceof HostFailure && error.cause.refusesCredentials,
      },
    };
  };

  const onAnswer = (kind: HostWork): void => {
    streak[kind] = 0;
    if (state === 'closed') cancelProbe();
    if (kind === 'call') return;
    streak.call = 0;
    if (state !== 'closed') enter('closed');
  };
  const onFailure = (kind: HostWork, startedAt: number, errorCode: ErrorCode): void => {
    // There may be no other call: the last known state of the host must not stand for ever.
    scheduleProbe();
    // A call that began before the last change says nothing about the time after it.
    if (circuit === undefined || state === 'open' || startedAt < changedAt) return;
    const time = performance.now();
    if (time - failedAt > WINDOW_MS) streak.transfer = streak.call = 0;
    failedAt = time;
    streak[kind] += 1;
    if (streak[kind] < FAILURES && !(state === 'half-open' && kind === 'transfer')) return;
    code = errorCode;
    openedFor = state === 'half-open' ? 'transfer' : kind;
    enter('open');
  };
  const enter = (next: CircuitState): void => {
    state = next;
    changedAt = performance.now();
    streak.transfer = streak.call = 0;
    cancelProbe();
    log[next === 'open' ? 'warn' : 'info'](events[next], { code });
    if (next === 'open') scheduleProbe();
  };

  const scheduleProbe = (): void => {
    if (closed || circuit === undefined || timer !== undefined) return;
    timer = setTimeout(() => {
      timer = undefined;
      host.find(noAsset, AbortSignal.timeout(PROBE_WITHIN_MS)).then(onProbeAnswer, onProbeFailure);
    }, probeAfterMs).unref();
  };
  const onProbeAnswer = (): void => {
    noteAnswer();
    if (state !== 'open') return;
    admittedAt = -Infinity;
    enter(openedFor === 'transfer' ? 'half-open' : 'closed');
  };
  const onProbeFailure = (error: unknown): void => {
    const verdict = hostVerdict(error, undefined, 0);
    if (verdict === 'answered') {
      onProbeAnswer();
      return;
    }
    if (verdict !== null && isHoldfastError(error)) noteFailure(error);
    scheduleProbe();
  };
  const cancelProbe = (): void => {
    clearTimeout(timer);
    timer = undefined;
  };

  const refusal = (): HoldfastError => {
    const seconds = Math.ceil((performance.now() - changedAt) / 2_000);
    return circuitOpen(code, Math.min(Math.max(seconds, FIRST_RETRY_SECONDS), LAST_RETRY_SECONDS));
  };
  const admitCall = (signal: AbortSignal | undefined): void => {
    if (signal !== undefined && isAborted(signal)) throw abortReason(signal);
    if (state === 'open') throw refusal();
  };
  const uploadRefusal = (): HoldfastError | null =>
    state === 'open' || (state === 'half-open' && performance.now() - admittedAt < probeAfterMs)
      ? refusal()
      : null;

  return {
    ...host,
    put: async (request) => {
      try {
        return await guard('transfer', request.signal, () => host.put(request));
      } finally {
        if (isStream(request.body)) request.body.destroy();
      }
    },
    annotate: (ref, metadata, signal) => call(signal, () => host.annotate(ref, metadata, signal)),
    find: (ref, signal) => call(signal, () => host.find(ref, signal)),
    remove: (ref, signal) => call(signal, () => host.remove(ref, signal)),
    list: (request) => call(request.signal, () => host.list(request)),
    changes: (request) => call(request.signal, () => host.changes(request)),
    confirm: (assetIds, signal) => call(signal, () => host.confirm(assetIds, signal)),
    putFile: (name, body, signal) => call(signal, () => host.putFile(name, body, signal)),
    // Downloads take another path than all other calls: their failures must not keep anyone from listing the host.
    readFile: async (name, signal, bytes) => {
      admitCall(signal);
      return host.readFile(name, signal, bytes);
    },
    listFiles: (prefix, signal) => call(signal, () => host.listFiles(prefix, signal)),
    removeFile: (name, signal) => call(signal, () => host.removeFile(name, signal)),
    // A disk is asked for nothing but this as long as nobody uploads.
    freeBytes: host.kind === 'local' ? () => call(undefined, host.freeBytes) : host.freeBytes,
    health: () => ({ ...health, reachable: reachable(), circuit: state }),
    uploadRefusal,
    admitUpload: () => {
      const refused = uploadRefusal();
      if (refused !== null) throw refused;
      admittedAt = performance.now();
    },
    close: () => {
      closed = true;
      cancelProbe();
      return host.close();
    },
  };
}

/** A caller that gave up after this long without an answer has seen silence; one that left sooner has seen nothing. */
const SILENCE_MS = 2_000;

/**
 * What a rejected call says about the host as a whole: the code of its failure; `answered` if it refused only this
 * request; null for nothing, as when the caller went away or the host asks to wait.
 */
function hostVerdict(
  error: unknown,
  signal: AbortSignal | undefined,
  elapsedMs: number,
): ErrorCode | 'answered' | null {
  if (isAborted(signal)) {
    const reason: unknown = signal?.reason;
    const isTimeLimit = reason instanceof Error && reason.name === 'TimeoutError';
    return isTimeLimit && elapsedMs >= SILENCE_MS ? 'HOST_TIMEOUT' : null;
  }
  if (!isHoldfastError(error)) return null;
  const { code, cause } = error;
  if (code === 'HOST_TIMEOUT') return code;
  if (isHoldfastError(error, 'HOST_LIMIT', 'HOST_CURSOR_SPENT', 'MEDIA_NOT_FOUND')) return 'answered';
  if (code === 'STORAGE_FULL') return cause === undefined ? null : code;
  if (code !== 'HOST_REJECTED') return null;
  // Without a cause it is about this one request. A refusal of our credentials meets every other request as well.
  const isOfThisRequest =
    cause instanceof HostFailure ? !cause.transient && !cause.refusesCredentials : cause === undefined;
  return isOfThisRequest ? 'answered' : code;
}
