import type { Agent } from 'node:http';
import type { CloudinarySettings } from '@holdfast/foundation/config';
import { HoldfastError } from '@holdfast/foundation/errors';
import { abortReason, isAborted } from '@holdfast/foundation/lifecycle';
import { redactText, type Logger } from '@holdfast/foundation/logging';
import { SLOWEST_BYTES_PER_SECOND } from '../../media/index.js';
import { createHostOutcomes, HostFailure } from '../failures.js';
import type { HostBudget, HostHealth } from '../media-host.js';
import {
  callHost,
  createAgentPool,
  loadSdk,
  sendForm,
  watchAnswers,
  type AgentPool,
  type CallOptions,
  type CloudinarySdk,
  type RateLimit,
} from './sdk.js';

/** How long a host may take, in milliseconds. */
interface HostTimeouts {
  /** One small signed call. */
  callMs: number;
  /** One page of a listing; a download without a byte. */
  pageMs: number;
  /** Without a byte in either direction during an upload; grows with the size, since hosts work on large files silently. */
  uploadIdleMs: number;
}

export interface ConnectionOptions {
  /** Uploads that usually run at once; so many sockets are kept for the next ones. */
  uploadSlots: number;
  log: Logger;
  /** Milliseconds since the epoch. */
  now?: () => number;
  timeouts?: Partial<HostTimeouts>;
}

type Call = <T>(
  signal: AbortSignal | undefined,
  call: (options: CallOptions) => Promise<unknown>,
  read: (reply: unknown) => T,
) => Promise<T>;

/** One account, and the only way to call it: credentials added, deadlines kept, errors converted, outcomes remembered. */
export interface Connection {
  readonly sdk: CloudinarySdk;
  readonly settings: CloudinarySettings;
  readonly timeouts: HostTimeouts;
  readonly log: Logger;
  /** Sockets for transfers of files. */
  readonly uploads: AgentPool;
  /** A call of the upload API: not metered. */
  readonly signed: Call;
  /** A call of the Admin or search API: metered. */
  readonly admin: Call;
  /** Credentials and address for one call. */
  readonly access: (agent: Agent, timeoutMs: number) => CallOptions;
  /** For work that leases its own agents. */
  readonly observed: <T>(signal: AbortSignal | undefined, work: () => Promise<T>) => Promise<T>;
  /** For work that says nothing about the host as a whole: errors are converted, and no outcome is remembered. */
  readonly converted: <T>(signal: AbortSignal | undefined, work: () => Promise<T>) => Promise<T>;
  readonly metered: () => number;
  readonly budget: () => HostBudget | null;
  readonly health: () => HostHealth;
  /** Milliseconds since the epoch by the host's clock. */
  readonly hostNow: () => number;
  /** Ends all requests. */
  readonly close: () => void;
}

const usualTimeouts: HostTimeouts = { callMs: 15_000, pageMs: 30_000, uploadIdleMs: 30_000 };
/** Sockets kept for calls other than uploads: sweeps make this many at once, and new TLS connections are slow. */
const IDLE_CALLS = 48;

/** Throws CONFIG_INVALID when this process already uses the SDK with the other protocol. */
export function connect(settings: CloudinarySettings, options: ConnectionOptions): Connection {
  const { log, now = Date.now } = options;
  const timeouts = { ...usualTimeouts, ...options.timeouts };
  const sdk = loadSdk(settings.apiUrl);
  const uploads = createAgentPool(settings.apiUrl, options.uploadSlots);
  const calls = createAgentPool(settings.apiUrl, IDLE_CALLS);
  const outcomes = createHostOutcomes(now, log);
  const budget = createRateBudget(now);
  const answers = watchAnswers({ uploads, calls }, now, budget.seen);
  let metered = 0;

  const access = (agent: Agent, timeout: number): CallOptions => ({
    cloud_name: settings.cloudName,
    api_key: settings.apiKey,
    api_secret: settings.apiSecret,
    upload_prefix: settings.apiUrl,
    signature_algorithm: settings.signatureAlgorithm,
    agent,
    timeout,
  });

  const converted: Connection['converted'] = async (signal, work) => {
    try {
      return await work();
    } catch (thrown) {
      if (signal !== undefined && isAborted(signal)) throw abortReason(signal);
      throw toHostError(thrown, budget.retryAfter);
    }
  };

  const observed: Connection['observed'] = async (signal, work) => {
    try {
      const result = await converted(signal, work);
      outcomes.answered();
      return result;
    } catch (error) {
      if (!(error instanceof HoldfastError) || (signal !== undefined && isAborted(signal))) throw error;
      if (isFailureOfHost(error)) outcomes.failed(error);
      else if (error.cause instanceof HostFailure) outcomes.answered();
      throw error;
    }
  };

  const within = (
    deadlineMs: number,
    signal: AbortSignal | undefined,
    call: (options: CallOptions) => Promise<unknown>,
  ) => callHost(calls, { deadlineMs, signal }, (agent) => call(access(agent, deadlineMs)));

  return {
    sdk,
    settings,
    timeouts,
    log,
    uploads,
    signed: (signal, call, read) =>
      observed(signal, async () => read(await sendForm(() => within(timeouts.callMs, signal, call)))),
    admin: (signal, call, read) =>
      observed(signal, async () => {
        metered += 1;
        return read(await within(timeouts.pageMs, signal, call));
      }),
    access,
    observed,
    converted,
    metered: () => metered,
    budget: budget.current,
    health: outcomes.health,
    hostNow: answers.hostNow,
    close: () => {
      answers.stop();
      uploads.destroy();
      calls.destroy();
    },
  };
}

/** A refusal of this one request says nothing about the host's health; wrong credentials and silence do. */
function isFailureOfHost({ code, cause }: HoldfastError): boolean {
  if (code !== 'HOST_REJECTED') return code === 'HOST_TIMEOUT';
  return !(cause instanceof HostFailure) || cause.transient || cause.refusesCredentials;
}

const NETWORK_TIMEOUTS = new Set(['ETIMEDOUT', 'ESOCKETTIMEDOUT', 'EHOSTUNREACH']);
const MAX_DETAIL = 300;

/** Any shape that the SDK rejects or calls back with, as our error. `retryAfter` reads the wait out of a 420's text. */
export function toHostError(thrown: unknown, retryAfter: (message: string) => number): HoldfastError {
  if (thrown instanceof HoldfastError) return thrown;
  const failure = readFailure(thrown);
  const { status, message } = failure;
  const options = { cause: failure };
  if (status === 420 || status === 429) {
    return new HoldfastError('HOST_RATE_LIMITED', message, {
      ...options,
      retryAfterSeconds: retryAfter(message),
    });
  }
  if (status === 499 || status === 408 || status === 504 || NETWORK_TIMEOUTS.has(failure.code ?? ''))
    return new HoldfastError('HOST_TIMEOUT', undefined, options);
  if (status === 413 || /file size too large/i.test(message))
    return new HoldfastError('HOST_LIMIT', message, options);
  return new HoldfastError('HOST_REJECTED', message, options);
}

/** True when the host answered that there is no such asset. */
export function isNotFound(error: unknown): boolean {
  return error instanceof HoldfastError && error.cause instanceof HostFailure && error.cause.status === 404;
}

/** Uploads: `{message, http_code}`, an Error, or `{error}` around one. Admin: the same beside the request's credentials. */
function readFailure(thrown: unknown): HostFailure {
  const outer = asObject(thrown);
  const inner = asObject(outer['error'] ?? thrown);
  // An Admin reply cut in its middle has an Error as its message.
  const source = asObject(inner['message'] instanceof Error ? inner['message'] : inner);
  const status = inner['http_code'];
  const code = source['code'];
  const message = source['message'];
  return new HostFailure(
    typeof message === 'string' ? presentable(message) : 'the media host failed',
    typeof status === 'number' ? status : null,
    typeof code === 'string' ? code : null,
  );
}

/** Without signatures, strings to sign and API keys, which some of Cloudinary's messages repeat. */
function presentable(message: string): string {
  const clean = message
    .replace(/Invalid Signature[\s\S]*/, 'Invalid Signature')
    .replace(/(api[_ ]key:?) \S+/gi, '$1 […]');
  return redactText(clean).slice(0, MAX_DETAIL);
}

function asObject(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

/** Used when the host does not say how long to wait. */
const FALLBACK_SECONDS = 60;
/** Below this share a refusal without a time is taken for the end of the hour's calls. */
const NEARLY_SPENT = 0.2;

/** The hourly budget as the last answers stated it. */
interface RateBudget {
  readonly seen: (limit: RateLimit) => void;
  /** Seconds to wait after a refusal with this message; marks the budget as spent where it may be. */
  readonly retryAfter: (message: string) => number;
  readonly current: () => HostBudget | null;
}

/** `now` gives milliseconds since the epoch. */
export function createRateBudget(now: () => number): RateBudget {
  let last: (RateLimit & { heardAt: number }) | null = null;
  return {
    seen: (limit) => {
      last = { ...limit, heardAt: now() };
    },
    retryAfter: (message) => {
      const named = readTryAgain(message);
      // The hour is not used up: the refusal is about the pace, and over in a moment. If other clients have used the hour up since,
      // one vain call a minute costs nothing.
      if (named === null && last !== null && last.remaining > last.limit * NEARLY_SPENT)
        return FALLBACK_SECONDS;
      const resetAt = named ?? last?.resetAt.getTime() ?? 0;
      if (last !== null)
        last = {
          ...last,
          heardAt: now(),
          remaining: 0,
          ...(resetAt > 0 ? { resetAt: new Date(resetAt) } : {}),
        };
      const seconds = Math.ceil((resetAt - now()) / 1_000);
      return seconds > 0 ? seconds : FALLBACK_SECONDS;
    },
    current: () => (last === null ? null : { ...last, resetAt: last.resetAt.toISOString() }),
  };
}

/** `… Try again on 2024-10-04 14:00:00 UTC` in milliseconds since the epoch, or null. */
function readTryAgain(message: string): number | null {
  const found = /try again on (\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d) UTC/i.exec(message);
  return found === null ? null : Date.parse(`${String(found[1])}T${String(found[2])}Z`);
}

/** Half the speed of a slow line: a host that drips must not hold up a recovery for long. */
const SLOWEST_DOWNLOAD_BYTES_PER_SECOND = 50_000;
const MAX_EXTRA_IDLE_MS = 150_000;

export function uploadIdleMs(timeouts: HostTimeouts, bytes: number): number {
  return timeouts.uploadIdleMs + Math.min(Math.round(bytes / 1_000), MAX_EXTRA_IDLE_MS);
}

/** For a whole request that carries so many bytes. */
export function uploadDeadlineMs(timeouts: HostTimeouts, bytes: number): number {
  return 2 * uploadIdleMs(timeouts, bytes) + Math.round((bytes / SLOWEST_BYTES_PER_SECOND) * 1_000);
}

/** For a whole download of so many bytes. */
export function downloadDeadlineMs(timeouts: HostTimeouts, bytes: number): number {
  return timeouts.pageMs + Math.round((bytes / SLOWEST_DOWNLOAD_BYTES_PER_SECOND) * 1_000);
}
