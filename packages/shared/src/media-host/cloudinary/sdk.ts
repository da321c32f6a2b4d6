import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { randomBytes } from 'node:crypto';
import http, { type Agent, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import https from 'node:https';
import { createRequire } from 'node:module';
import type { Writable } from 'node:stream';
import type { CloudinarySettings } from '@holdfast/foundation/config';
import { HoldfastError } from '@holdfast/foundation/errors';
import { abortReason, isAborted, onAbort, untilAborted } from '@holdfast/foundation/lifecycle';
import type { Logger } from '@holdfast/foundation/logging';
import { statusOf } from '../failures.js';
import { createRateBudget, type RateLimit, toHostError } from './errors.js';

// Everything that tames Cloudinary's SDK (2.11): how it is loaded, on which sockets it runs, how one request ends, what it hides.

/** Given with each call, so that the SDK's process-wide configuration is never read. */
export interface Credentials {
  cloud_name: string;
  api_key: string;
  api_secret: string;
  upload_prefix: string;
  signature_algorithm: 'sha1' | 'sha256';
}

export interface CallOptions extends Credentials {
  agent: Agent;
  /** Idle time of the socket in ms; for Admin calls the SDK arms it without effect. */
  timeout: number;
}

/** The parameters of a call. Names that the SDK does not know would become transformations of an upload. */
type Options = CallOptions & Readonly<Record<string, unknown>>;

interface SearchBuilder {
  expression(value: string): SearchBuilder;
  sort_by(field: string, direction: 'asc' | 'desc'): SearchBuilder;
  with_field(field: string): SearchBuilder;
  max_results(count: number): SearchBuilder;
  next_cursor(cursor: string): SearchBuilder;
  execute(options: CallOptions): Promise<unknown>;
}

/**
 * What we use of the SDK, as it really behaves; its own typings are wrong in places. Results are unknown: they are parsed in
 * replies.ts. The upload callback may be called twice, and with an error in several shapes.
 */
export interface CloudinarySdk {
  config(settings: { hide_sensitive: true }): { upload_prefix?: string };
  uploader: {
    upload_stream(options: Options, callback: (error: unknown, reply?: unknown) => void): Writable;
    explicit(publicId: string, options: Options): Promise<unknown>;
    destroy(publicId: string, options: Options): Promise<unknown>;
    replace_tag(tags: string, publicIds: string[], options: Options): Promise<unknown>;
    remove_all_tags(publicIds: string[], options: Options): Promise<unknown>;
  };
  api: {
    resources(options: Options): Promise<unknown>;
    resources_by_asset_ids(assetIds: readonly string[], options: Options): Promise<unknown>;
    config(options: Options): Promise<unknown>;
  };
  search: SearchBuilder;
  utils: {
    private_download_url(
      publicId: string,
      format: string,
      options: Credentials & { resource_type: string; type: string },
    ): string;
    api_sign_request(
      params: Readonly<Record<string, string>>,
      secret: string,
      algorithm: 'sha1' | 'sha256',
      version: 2,
    ): string;
    random_public_id(): string;
  };
}

/** Variables that the SDK reads while it is loaded. */
const READ_AT_LOAD = ['CLOUDINARY_URL', 'CLOUDINARY_ACCOUNT_URL', 'CLOUDINARY_API_PROXY'] as const;

/**
 * Loads the SDK for the protocol of `apiUrl`. The SDK chooses between http and https once, from CLOUDINARY_URL, while
 * it is loaded; so that variable is ours for the length of the (synchronous) load.
 * Throws CONFIG_INVALID when the SDK of this process already speaks the other protocol.
 */
export function loadSdk(apiUrl: string): CloudinarySdk {
  const saved = READ_AT_LOAD.map((name) => [name, process.env[name]] as const);
  try {
    for (const name of READ_AT_LOAD) delete process.env[name];
    process.env['CLOUDINARY_URL'] =
      `cloudinary://unused:unused@unused?upload_prefix=${encodeURIComponent(apiUrl)}`;
    const { v2 } = createRequire(import.meta.url)('cloudinary') as { v2: CloudinarySdk };
    const loadedFor = v2.config({ hide_sensitive: true }).upload_prefix ?? 'https:';
    if (isHttp(loadedFor) !== isHttp(apiUrl)) {
      throw new HoldfastError(
        'CONFIG_INVALID',
        'one process can reach Cloudinary by http or by https, not both: its SDK decides once',
      );
    }
    // It makes the boundaries of forms. Its own keeps only the lower-case letters and digits of 16 characters: of one form in 550,000
    // none, which the host refuses.
    v2.utils.random_public_id = () => randomBytes(16).toString('hex');
    return v2;
  } finally {
    for (const [name, value] of saved) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  }
}

export function credentialsOf(settings: CloudinarySettings): Credentials {
  return {
    cloud_name: settings.cloudName,
    api_key: settings.apiKey,
    api_secret: settings.apiSecret,
    upload_prefix: settings.apiUrl,
    signature_algorithm: settings.signatureAlgorithm,
  };
}

function isHttp(url: string): boolean {
  return url.startsWith('http:');
}

/** How long a host may take, in milliseconds. */
export interface HostTimeouts {
  /** One small signed call. */
  callMs: number;
  /** One page of a listing; a download without a byte. */
  pageMs: number;
  /** Without a byte in either direction during an upload; grows with the size, since hosts work on large files silently. */
  uploadIdleMs: number;
}

const usualTimeouts: HostTimeouts = { callMs: 15_000, pageMs: 30_000, uploadIdleMs: 30_000 };
/** Sockets kept besides those of uploads: sweeps make so many calls at once, and new TLS connections are slow. */
const IDLE_CALLS = 48;

export interface ConnectionOptions {
  /** Uploads that usually run at once; as many sockets are kept for the next ones. */
  uploadSlots: number;
  log: Logger;
  /** Milliseconds since the epoch. */
  now?: () => number;
  timeouts?: Partial<HostTimeouts>;
}

export interface RequestLimits {
  deadlineMs: number;
  /** Idle time of the socket; the deadline unless given. */
  idleMs?: number;
  signal?: AbortSignal | undefined;
}

export type Connection = ReturnType<typeof connect>;

/** Error answers whose body the SDK reads to its end; after any other error the socket is lost. */
const DRAINED = new Set([400, 401, 404, 420, 429]);

/**
 * One account, and the only way to call it: credentials added, deadlines kept, errors converted. Throws CONFIG_INVALID when this process
 * already uses the SDK with the other protocol.
 */
export function connect(settings: CloudinarySettings, options: ConnectionOptions) {
  const { log, now = Date.now } = options;
  const timeouts = { ...usualTimeouts, ...options.timeouts };
  const sdk = loadSdk(settings.apiUrl);
  const credentials = credentialsOf(settings);
  const agents = createAgentPool(settings.apiUrl, options.uploadSlots + IDLE_CALLS);
  const budget = createRateBudget(now);
  const answers = watchAnswers(agents, now, budget.seen);
  let metered = 0;

  /**
   * One request of the SDK on an agent of its own. `isClean` says of an outcome whether nothing of the request can be left on its
   * socket, which then serves the next one.
   */
  const send = async (
    limits: RequestLimits,
    start: SdkRequest,
    isClean: (error: HoldfastError | null) => boolean,
  ): Promise<unknown> => {
    const { deadlineMs, idleMs = deadlineMs, signal } = limits;
    const agent = agents.take();
    let isKept = false;
    try {
      // The SDK throws at once on some bad options.
      const reply = await withinLimits(limits, async () => start({ ...credentials, agent, timeout: idleMs }));
      isKept = isClean(null);
      return reply;
    } catch (thrown) {
      if (signal !== undefined && isAborted(signal)) throw abortReason(signal);
      const error = toHostError(thrown, budget.retryAfter);
      isKept = isClean(error);
      throw error;
    } finally {
      if (isKept) agents.keep(agent);
      else agents.kill(agent);
    }
  };
  const isDrained = (error: HoldfastError | null): boolean =>
    error === null || DRAINED.has(statusOf(error) ?? 0);

  return {
    sdk,
    settings,
    timeouts,
    log,
    /** A call of the upload API: not metered. */
    signed: (signal: AbortSignal | undefined, call: SdkRequest) =>
      send({ deadlineMs: timeouts.callMs, signal }, call, isDrained),
    /** A call of the Admin or search API: metered. */
    admin: (signal: AbortSignal | undefined, call: SdkRequest) => {
      metered += 1;
      return send({ deadlineMs: timeouts.pageMs, signal }, call, isDrained);
    },
    /** A request that carries a file. `isSent` says whether all of it is on its way. */
    upload: (limits: RequestLimits, start: SdkRequest, isSent: () => boolean) =>
      send(limits, start, (error) => error === null && isSent()),
    metered: () => metered,
    budget: budget.current,
    /** Milliseconds since the epoch by the host's `Date` header, which has whole seconds: up to one second late. Our clock before the first answer. */
    hostNow: answers.hostNow,
    /** Ends all requests. */
    close: () => {
      answers.stop();
      agents.destroy();
    },
  };
}

type SdkRequest = (options: CallOptions) => Promise<unknown>;

/** The outcome of the work, or a rejection when the time is up (HOST_TIMEOUT) or the signal aborts (its reason). */
export async function withinLimits<T>(
  { deadlineMs, signal }: RequestLimits,
  work: (ending: AbortSignal) => Promise<T>,
): Promise<T> {
  if (signal !== undefined && isAborted(signal)) throw abortReason(signal);
  const ending = new AbortController();
  const timer = setTimeout(() => ending.abort(new HoldfastError('HOST_TIMEOUT')), deadlineMs);
  const forgetAbort = onAbort(signal, (reason) => ending.abort(reason));
  try {
    return await untilAborted(work(ending.signal), ending.signal);
  } finally {
    clearTimeout(timer);
    forgetAbort();
  }
}

/** The host may just have closed a socket that idled for longer; the SDK never retries a stale one. */
const MAX_IDLE_MS = 4_000;

/** Agents with one kept-alive socket each: destroying its agent is the only way to end a request of the SDK. */
type AgentPool = ReturnType<typeof createAgentPool>;

/** Keeps at most `maxIdle` agents, the last used first; more requests at once get agents of their own. */
export function createAgentPool(apiUrl: string, maxIdle: number) {
  const { Agent: AgentClass } = isHttp(apiUrl) ? http : https;
  let idle: { agent: Agent; since: number }[] = [];
  const inUse = new Set<unknown>();
  const killIdle = (): void => {
    for (const { agent } of idle) agent.destroy();
    idle = [];
  };
  const kill = (agent: Agent): void => {
    inUse.delete(agent);
    agent.destroy();
  };
  return {
    take: (): Agent => {
      // Those below the last one idled even longer.
      if (performance.now() - (idle.at(-1)?.since ?? 0) > MAX_IDLE_MS) killIdle();
      const agent = idle.pop()?.agent ?? new AgentClass({ keepAlive: true, maxSockets: 1 });
      inUse.add(agent);
      return agent;
    },
    keep: (agent: Agent): void => {
      if (!inUse.delete(agent) || idle.length >= maxIdle) agent.destroy();
      else idle.push({ agent, since: performance.now() });
    },
    kill,
    isInUse: (agent: unknown): boolean => inUse.has(agent),
    destroy: (): void => {
      killIdle();
      for (const agent of inUse as Set<Agent>) kill(agent);
    },
  };
}

/** Node announces each answer to a request of this process here, before its body is read. */
const ANSWERS = 'http.client.response.finish';

interface Announcement {
  request: { agent?: unknown };
  response: IncomingMessage;
}

/**
 * Reads what the SDK hides of answers on our sockets: the host's clock, and the hourly limit, which it drops from errors. It also
 * turns each chunk into text by itself and so breaks characters that span two; JSON answers are therefore decoded here.
 */
function watchAnswers(
  agents: AgentPool,
  now: () => number,
  onRateLimit: (limit: RateLimit) => void,
): { hostNow: () => number; stop: () => void } {
  let ahead = 0;
  let readAt = -Infinity;
  const readClock = (date: string | undefined): void => {
    // There may be thousands of answers within the second that the header can tell apart.
    const time = performance.now();
    if (date === undefined || time - readAt < 1_000) return;
    const hostTime = Date.parse(date);
    if (Number.isNaN(hostTime)) return;
    readAt = time;
    ahead = hostTime - now();
  };
  const onAnswer = (message: unknown): void => {
    const { request, response } = message as Announcement;
    if (!agents.isInUse(request.agent)) return;
    const { headers } = response;
    if (/\bjson\b/i.test(headers['content-type'] ?? '')) response.setEncoding('utf8');
    readClock(headers.date);
    const limit = rateLimitIn(headers);
    if (limit !== null) onRateLimit(limit);
  };
  subscribe(ANSWERS, onAnswer);
  return { hostNow: () => now() + ahead, stop: () => void unsubscribe(ANSWERS, onAnswer) };
}

function rateLimitIn(headers: IncomingHttpHeaders): RateLimit | null {
  const limit = Number(headers['x-featureratelimit-limit']);
  const remaining = Number(headers['x-featureratelimit-remaining']);
  const resetAt = new Date(String(headers['x-featureratelimit-reset']));
  return [limit, remaining, resetAt.getTime()].some(Number.isNaN) ? null : { limit, remaining, resetAt };
}
