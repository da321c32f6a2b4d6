import type { ErrorCode, HoldfastError } from '../errors/index.js';
import type { Logger } from '../logging/index.js';
import { hostResting } from './host-resting.js';
import { hostVerdict } from './host-verdict.js';

/**
 * closed: calls go to the host. open: it does not answer, nothing is sent to it but a look now and then. half-open: it
 * answers again, and single uploads show whether it takes them.
 */
export type CircuitState = 'closed' | 'open' | 'half-open';

/** `transfer` sends the bytes of an upload, `call` is everything else: hosts that answer calls may still take no bytes. */
export type HostWork = 'transfer' | 'call';

export interface HostCircuit {
  readonly state: () => CircuitState;
  /** Runs the work and learns from its outcome; rejects at once, without running it, while the host is not to be asked. */
  readonly guard: <T>(kind: HostWork, signal: AbortSignal | undefined, work: () => Promise<T>) => Promise<T>;
  /** For calls whose outcome tells nothing of the host as a whole: throws while the host is not to be asked. */
  readonly throwIfOpen: () => void;
  /** Why an upload would be refused now, or null. */
  readonly uploadRefusal: () => HoldfastError | null;
  /** Throws that; while half-open, each call that does not throw is the one upload of the next seconds. */
  readonly admitUpload: () => void;
  readonly stop: () => void;
}

export interface HostCircuitOptions {
  /** A cheap call that any answering host answers; rejects when it does not within its own limit. What it met is in health. */
  look: () => Promise<unknown>;
  log: Logger;
  /** Milliseconds of a clock that only goes forward. */
  now?: () => number;
  /** So long after a failure the next look comes, and between single uploads. */
  restMs?: number;
}

/** So many failures of one kind in a row, each within a minute of the one before. */
const FAILURES = 5;
const WINDOW_MS = 60_000;
const REST_MS = 5_000;
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
  const { look, log, now = () => performance.now(), restMs = REST_MS } = options;
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
    lookNoMore();
    log[next === 'open' ? 'warn' : 'info'](events[next], { code });
    if (next === 'open') lookLater();
  };
  const onSight = (): void => {
    if (state !== 'open') return;
    admittedAt = -Infinity;
    enter(openedFor === 'transfer' ? 'half-open' : 'closed');
  };
  const lookLater = (): void => {
    if (stopped || timer !== undefined) return;
    timer = setTimeout(() => {
      timer = undefined;
      look().then(onSight, lookLater);
    }, restMs).unref();
  };
  const lookNoMore = (): void => {
    clearTimeout(timer);
    timer = undefined;
  };
  const refusal = (): HoldfastError => {
    const seconds = Math.ceil((now() - changedAt) / 2_000);
    return hostResting(code, Math.min(Math.max(seconds, FIRST_RETRY_SECONDS), LAST_RETRY_SECONDS));
  };
  const answered = (kind: HostWork): void => {
    streak[kind] = 0;
    if (state === 'closed') lookNoMore();
    if (kind === 'call') return;
    streak.call = 0;
    if (state !== 'closed') enter('closed');
  };
  const failed = (kind: HostWork, startedAt: number, with_: ErrorCode): void => {
    // Nobody else may ask: what was last heard of the host must not stand for ever.
    lookLater();
    // What began before the last change tells of the time before it.
    if (state === 'open' || startedAt < changedAt) return;
    if (now() - failedAt > WINDOW_MS) streak.transfer = streak.call = 0;
    failedAt = now();
    streak[kind] += 1;
    if (streak[kind] < FAILURES && !(state === 'half-open' && kind === 'transfer')) return;
    code = with_;
    openedFor = state === 'half-open' ? 'transfer' : kind;
    enter('open');
  };
  const throwIfOpen = (): void => {
    if (state === 'open') throw refusal();
  };
  const uploadRefusal = (): HoldfastError | null =>
    state === 'open' || (state === 'half-open' && now() - admittedAt < restMs) ? refusal() : null;

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
      lookNoMore();
    },
  };
}
