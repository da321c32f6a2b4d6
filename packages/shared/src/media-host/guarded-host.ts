import { type ErrorCode, type HoldfastError, isHoldfastError } from '@holdfast/foundation/errors';
import { isAborted } from '@holdfast/foundation/lifecycle';
import type { Logger } from '@holdfast/foundation/logging';
import { isStream } from './body.js';
import { HostFailure, circuitOpen } from './failures.js';
import type { AssetRef, MediaHost } from './media-host.js';

export interface GuardOptions extends Pick<HostCircuitOptions, 'probeAfterMs' | 'now'> {
  /** Of our own assets; nothing is ever stored under the name that is looked for. */
  folder: string;
  log: Logger;
}

const PROBE_WITHIN_MS = 5_000;

/** A host in the network behind the circuit of this process: while the host does not answer, calls fail at once. */
export function guardHost(host: MediaHost, { folder, ...options }: GuardOptions): MediaHost {
  const noAsset: AssetRef = { publicId: `${folder}/host-check`, resourceType: 'image' };
  const probe = (): Promise<unknown> => host.find(noAsset, AbortSignal.timeout(PROBE_WITHIN_MS));
  const circuit = createHostCircuit({ ...options, probe });
  const call = <T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> =>
    circuit.guard('call', signal, work);
  return {
    ...host,
    put: async (request) => {
      try {
        return await circuit.guard('transfer', request.signal, () => host.put(request));
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
    readFile: async (...of) => {
      circuit.throwIfOpen();
      return host.readFile(...of);
    },
    listFiles: (prefix, signal) => call(signal, () => host.listFiles(prefix, signal)),
    removeFile: (name, signal) => call(signal, () => host.removeFile(name, signal)),
    health: () => ({ ...host.health(), circuit: circuit.state() }),
    uploadRefusal: circuit.uploadRefusal,
    admitUpload: circuit.admitUpload,
    close: () => {
      circuit.stop();
      return host.close();
    },
  };
}

/**
 * closed: calls go to the host. open: it does not answer, and only an occasional probe is sent. half-open: it answers
 * again, and single uploads show whether it accepts them.
 */
export type CircuitState = 'closed' | 'open' | 'half-open';

/** `transfer` sends the bytes of an upload, `call` is everything else: a host that answers calls may still accept no bytes. */
type HostWork = 'transfer' | 'call';

interface HostCircuit {
  readonly state: () => CircuitState;
  /** Runs the work and learns from its outcome; rejects at once, without running it, while the circuit is open. */
  readonly guard: <T>(kind: HostWork, signal: AbortSignal | undefined, work: () => Promise<T>) => Promise<T>;
  /** For calls whose outcome says nothing about the host as a whole: throws while the circuit is open. */
  readonly throwIfOpen: () => void;
  /** Why an upload would be refused now, or null. */
  readonly uploadRefusal: () => HoldfastError | null;
  /** Throws that; while half-open, each call that does not throw is the one upload of the next seconds. */
  readonly admitUpload: () => void;
  readonly stop: () => void;
}

interface HostCircuitOptions {
  /** A cheap call that any answering host answers; rejects when it does not within its own limit. Its outcome shows in health. */
  probe: () => Promise<unknown>;
  log: Logger;
  /** Milliseconds of a clock that only goes forward. */
  now?: () => number;
  /** Between a failure and the next probe, and between single uploads. */
  probeAfterMs?: number;
}

/** The circuit opens after this many failures of one kind in a row, each within a minute of the one before. */
const FAILURES = 5;
const WINDOW_MS = 60_000;
const PROBE_AFTER_MS = 5_000;
/** Clients and jobs are sent away for half as long as the host has been away, within these bounds. */
const FIRST_RETRY_SECONDS = 5;
const LAST_RETRY_SECONDS = 30;

const events: Record<CircuitState, string> = {
  closed: 'host.circuit_closed',
  open: 'host.circuit_opened',
  'half-open': 'host.circuit_half_open',
};

/** The circuit of one process, closed at first (docs/decisions/0013-a-circuit-for-the-host.md). */
export function createHostCircuit(options: HostCircuitOptions): HostCircuit {
  const { probe, log, now = () => performance.now(), probeAfterMs = PROBE_AFTER_MS } = options;
  const streak: Record<HostWork, number> = { transfer: 0, call: 0 };
  let state: CircuitState = 'closed';
  let changedAt = -Infinity;
  let failedAt = -Infinity;
  let admittedAt = -Infinity;
  let openedFor: HostWork = 'call';
  let code: ErrorCode = 'HOST_TIMEOUT';
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;

  const enter = (next: CircuitState): void => {
    state = next;
    changedAt = now();
    streak.transfer = 0;
    streak.call = 0;
    cancelProbe();
    log[next === 'open' ? 'warn' : 'info'](events[next], { code });
    if (next === 'open') scheduleProbe();
  };
  const onAnswer = (): void => {
    if (state !== 'open') return;
    admittedAt = -Infinity;
    enter(openedFor === 'transfer' ? 'half-open' : 'closed');
  };
  const scheduleProbe = (): void => {
    if (stopped || timer !== undefined) return;
    timer = setTimeout(() => {
      timer = undefined;
      probe().then(onAnswer, scheduleProbe);
    }, probeAfterMs).unref();
  };
  const cancelProbe = (): void => {
    clearTimeout(timer);
    timer = undefined;
  };
  const refusal = (): HoldfastError => {
    const seconds = Math.ceil((now() - changedAt) / 2_000);
    return circuitOpen(code, Math.min(Math.max(seconds, FIRST_RETRY_SECONDS), LAST_RETRY_SECONDS));
  };
  const answered = (kind: HostWork): void => {
    streak[kind] = 0;
    if (state === 'closed') cancelProbe();
    if (kind === 'call') return;
    streak.call = 0;
    if (state !== 'closed') enter('closed');
  };
  const failed = (kind: HostWork, startedAt: number, errorCode: ErrorCode): void => {
    // There may be no other call: the last known state of the host must not stand for ever.
    scheduleProbe();
    // A call that began before the last change says nothing about the time after it.
    if (state === 'open' || startedAt < changedAt) return;
    if (now() - failedAt > WINDOW_MS) streak.transfer = streak.call = 0;
    failedAt = now();
    streak[kind] += 1;
    if (streak[kind] < FAILURES && !(state === 'half-open' && kind === 'transfer')) return;
    code = errorCode;
    openedFor = state === 'half-open' ? 'transfer' : kind;
    enter('open');
  };
  const throwIfOpen = (): void => {
    if (state === 'open') throw refusal();
  };
  const uploadRefusal = (): HoldfastError | null =>
    state === 'open' || (state === 'half-open' && now() - admittedAt < probeAfterMs) ? refusal() : null;

  return {
    state: () => state,
    guard: async (kind, signal, work) => {
      throwIfOpen();
      const startedAt = now();
      try {
        const result = await work();
        answered(kind);
        return result;
      } catch (error) {
        const verdict = hostVerdict(error, signal, now() - startedAt);
        if (verdict === 'answered') answered(kind);
        else if (verdict !== null) failed(kind, startedAt, verdict);
        throw error;
      }
    },
    throwIfOpen,
    uploadRefusal,
    admitUpload: () => {
      const refused = uploadRefusal();
      if (refused !== null) throw refused;
      admittedAt = now();
    },
    stop: () => {
      stopped = true;
      cancelProbe();
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
  if (isAborted(signal)) return isTimeLimit(signal) && elapsedMs >= SILENCE_MS ? 'HOST_TIMEOUT' : null;
  if (!isHoldfastError(error)) return null;
  const { code, cause } = error;
  if (code === 'HOST_TIMEOUT') return code;
  if (code === 'HOST_REJECTED')
    return cause instanceof HostFailure && refusesThisAlone(cause) ? 'answered' : code;
  return isHoldfastError(error, 'HOST_LIMIT', 'HOST_CURSOR_SPENT', 'MEDIA_NOT_FOUND') ? 'answered' : null;
}

/** A refusal of our credentials will meet every other request as well. */
function refusesThisAlone({ transient, refusesCredentials }: HostFailure): boolean {
  return !transient && !refusesCredentials;
}

function isTimeLimit(signal: AbortSignal | undefined): boolean {
  const reason: unknown = signal?.reason;
  return reason instanceof Error && reason.name === 'TimeoutError';
}
