import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import http, { type Agent, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import https from 'node:https';
import { createRequire } from 'node:module';
import type { Writable } from 'node:stream';
import { HoldfastError } from '@holdfast/foundation/errors';
import { abortReason, onAbort } from '@holdfast/foundation/lifecycle';

// Everything that tames Cloudinary's SDK (2.11): how it is loaded, on which sockets it runs, how one call ends, what it hides.

/** Given with each call, so that the SDK's process-wide configuration is never read. */
export interface CallOptions {
  cloud_name: string;
  api_key: string;
  api_secret: string;
  upload_prefix: string;
  signature_algorithm: 'sha1' | 'sha256';
  agent: Agent;
  /** Idle time of the socket in ms; for Admin calls the SDK arms it without effect. */
  timeout: number;
}

export interface AddressOptions extends CallOptions {
  resource_type: string;
  /** How it is delivered: media are public, files that are none need a signed address. */
  type: 'upload' | 'authenticated';
}

/** Where the Media Library shows an asset, and under which name. Accounts with fixed folders have neither. */
export interface PlacementOptions {
  asset_folder?: string;
  display_name?: string;
}

interface MetadataOptions extends AddressOptions, PlacementOptions {
  /** Encoded already, see signing.ts. */
  context?: string;
  tags?: string;
}

/** The only options an upload may carry: other names would be read as transformations. */
export interface UploadOptions extends MetadataOptions {
  public_id: string;
  overwrite: false;
  filename: 'file';
  disable_promises: true;
  content_range?: string;
  x_unique_upload_id?: string;
}

/** What a listing shows of its assets. */
export interface ListedOptions {
  tags: true;
  context: true;
  /** Joined by commas: the SDK would repeat the parameter for a list, and of a repeated one the host keeps the last. */
  fields?: string;
}

interface PageOptions extends AddressOptions, ListedOptions {
  max_results: number;
  next_cursor?: string;
  direction: 'asc';
}

interface FilesOptions extends AddressOptions {
  prefix: string;
  max_results: number;
  next_cursor?: string;
}

interface SearchBuilder {
  expression(value: string): SearchBuilder;
  sort_by(field: string, direction: 'asc' | 'desc'): SearchBuilder;
  with_field(field: string): SearchBuilder;
  max_results(count: number): SearchBuilder;
  next_cursor(cursor: string): SearchBuilder;
  execute(options: CallOptions): Promise<unknown>;
}

/**
 * What we use of the SDK (2.11), as it really behaves; its own typings are wrong in places. Results are unknown:
 * they are parsed in replies.ts. The upload callback may be called twice, and with an error in several shapes.
 */
export interface CloudinarySdk {
  config(settings: { hide_sensitive: true }): { upload_prefix?: string };
  uploader: {
    upload_stream(
      options: UploadOptions,
      callback: (reply: unknown, result?: unknown) => void,
    ): Writable & { readonly boundary?: string };
    explicit(publicId: string, options: MetadataOptions): Promise<unknown>;
    destroy(publicId: string, options: AddressOptions & { invalidate: true }): Promise<unknown>;
    rename(publicId: string, to: string, options: AddressOptions): Promise<unknown>;
    replace_tag(tags: string, publicIds: string[], options: AddressOptions): Promise<unknown>;
    remove_all_tags(publicIds: string[], options: AddressOptions): Promise<unknown>;
    remove_all_context(publicIds: string[], options: AddressOptions): Promise<unknown>;
  };
  api: {
    resources(options: PageOptions | FilesOptions): Promise<unknown>;
    resources_by_asset_ids(
      assetIds: readonly string[],
      options: CallOptions & ListedOptions,
    ): Promise<unknown>;
    config(options: CallOptions & { settings: true }): Promise<unknown>;
    usage(options: CallOptions): Promise<unknown>;
    delete_folder(path: string, options: CallOptions): Promise<unknown>;
  };
  search: { expression(value: string): SearchBuilder };
  utils: {
    private_download_url(publicId: string, format: string, options: AddressOptions): string;
    api_sign_request(
      params: Readonly<Record<string, string>>,
      secret: string,
      algorithm: 'sha1' | 'sha256',
      version: 2,
    ): string;
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
    return v2;
  } finally {
    for (const [name, value] of saved) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  }
}

function isHttp(url: string): boolean {
  return url.startsWith('http:');
}

/** The host may just have closed a socket that idled for longer; the SDK never retries a stale one. */
const MAX_IDLE_MS = 4_000;

/** One agent with one kept-alive socket: destroying it is the only way to kill a request of the SDK. */
export interface Lease {
  readonly agent: http.Agent;
  /** Keeps the socket for the next call. */
  release(): void;
  /** Kills whatever runs on it. */
  destroy(): void;
}

/** What is answered on a lease: text that the SDK reads, or the bytes of a file. */
type Content = 'text' | 'file';

export interface AgentPool {
  lease(content?: Content): Lease;
  /** True for an agent of this pool that is in use for text. */
  carriesText(agent: unknown): boolean;
  destroy(): void;
}

/**
 * Keeps at most `maxIdle` agents for reuse, the last used first; more calls at once get agents of their own.
 * `now` is a monotonic clock in milliseconds.
 */
export function createAgentPool(
  apiUrl: string,
  maxIdle: number,
  now: () => number = () => performance.now(),
): AgentPool {
  const { Agent: AgentClass } = isHttp(apiUrl) ? http : https;
  const create = (): http.Agent => new AgentClass({ keepAlive: true, maxSockets: 1 });
  const idle: { agent: http.Agent; since: number }[] = [];
  const inUse = new Map<http.Agent, Content>();

  const take = (): http.Agent => {
    const last = idle.pop();
    if (last === undefined) return create();
    if (now() - last.since <= MAX_IDLE_MS) return last.agent;
    // The ones below idled even longer.
    for (const { agent } of [last, ...idle.splice(0)]) agent.destroy();
    return create();
  };

  return {
    lease: (content = 'text') => {
      const agent = take();
      inUse.set(agent, content);
      return {
        agent,
        release: () => {
          if (!inUse.delete(agent)) return;
          if (idle.length < maxIdle) idle.push({ agent, since: now() });
          else agent.destroy();
        },
        destroy: () => {
          inUse.delete(agent);
          agent.destroy();
        },
      };
    },
    carriesText: (agent) => inUse.get(agent as http.Agent) === 'text',
    destroy: () => {
      for (const { agent } of idle.splice(0)) agent.destroy();
      for (const agent of inUse.keys()) agent.destroy();
      inUse.clear();
    },
  };
}

export interface CallLimits {
  deadlineMs: number;
  signal?: AbortSignal | undefined;
}

/** Error answers whose body the SDK reads to its end; after any other error the socket is lost. */
const DRAINED = new Set<unknown>([400, 401, 404, 420, 429]);

/**
 * One small call of the SDK on a socket of its own. Settles once, by the deadline at the latest (HOST_TIMEOUT) or when
 * the signal aborts (its reason); else rejects with what the SDK gave.
 */
export function callHost(
  pool: AgentPool,
  { deadlineMs, signal }: CallLimits,
  call: (agent: Agent) => Promise<unknown>,
): Promise<unknown> {
  if (signal?.aborted === true) return Promise.reject(abortReason(signal));
  const lease = pool.lease();
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      clearTimeout(timer);
      forgetAbort();
    };
    const fail = (error: unknown): void => {
      settle();
      if (DRAINED.has(statusOf(error))) lease.release();
      else lease.destroy();
      // oxlint-disable-next-line typescript/prefer-promise-reject-errors -- converted once, by the caller
      reject(error);
    };
    const timer = setTimeout(() => fail(new HoldfastError('HOST_TIMEOUT')), deadlineMs);
    const forgetAbort = onAbort(signal, fail);
    const succeed = (reply: unknown): void => {
      settle();
      lease.release();
      resolve(reply);
    };
    attempt(call, lease.agent).then(succeed, fail);
  });
}

/** The SDK throws synchronously on some bad options; here that is a rejection too. */
async function attempt(call: (agent: Agent) => Promise<unknown>, agent: Agent): Promise<unknown> {
  return call(agent);
}

/** The HTTP status in what the SDK rejects with. */
export function statusOf(error: unknown): unknown {
  if (typeof error !== 'object' || error === null) return undefined;
  if ('http_code' in error) return error.http_code;
  return 'error' in error ? statusOf(error.error) : undefined;
}

/**
 * Sends a form of the SDK, and once more when it is refused as a bad request: the SDK draws the boundary between the fields at
 * random (see `openUpload`), and with an empty one the host cannot read the form. A refused form has changed nothing.
 */
export async function sendForm(send: () => Promise<unknown>): Promise<unknown> {
  try {
    return await send();
  } catch (error) {
    if (statusOf(error) !== 400) throw error;
    return send();
  }
}

/** An upload request of the SDK that has begun: what is written goes to the host. */
export interface OpenUpload {
  sink: Writable;
  lease: Lease;
}

/** No file contains the delimiter of a boundary this long by chance. */
const SHORTEST_BOUNDARY = 4;

/**
 * Begins an upload. The SDK makes the boundary of the form from random bytes and keeps only lower-case letters and digits:
 * once in a million uploads nothing is left, and the host refuses the form; once in two thousand so little that a large file
 * might contain it. Such a request is killed before anything of the file is sent, and another one begins. `settle` hears only
 * of the one that is returned. Throws what the SDK throws.
 */
export function openUpload(
  sdk: CloudinarySdk,
  pool: AgentPool,
  optionsFor: (agent: Agent) => UploadOptions,
  settle: (reply: unknown, result?: unknown) => void,
): OpenUpload {
  for (;;) {
    const lease = pool.lease();
    let isKilled = false;
    let sink: ReturnType<CloudinarySdk['uploader']['upload_stream']>;
    try {
      sink = sdk.uploader.upload_stream(optionsFor(lease.agent), (reply, result) => {
        if (!isKilled) settle(reply, result);
      });
    } catch (error) {
      lease.destroy();
      throw error;
    }
    if ((sink.boundary?.length ?? SHORTEST_BOUNDARY) >= SHORTEST_BOUNDARY) return { sink, lease };
    isKilled = true;
    sink.destroy();
    lease.destroy();
  }
}

/** Node announces each answer to a request of this process here, before its body is read. */
const ANSWERS = 'http.client.response.finish';

interface Announcement {
  request: { agent?: unknown };
  response: IncomingMessage;
}

/** The hourly limit of metered calls, as one answer states it. */
export interface RateLimit {
  limit: number;
  remaining: number;
  resetAt: Date;
}

interface AnswerWatch {
  /** Milliseconds since the epoch by the host's `Date` header, which has whole seconds: up to one second late. Our clock before the first answer. */
  readonly hostNow: () => number;
  readonly stop: () => void;
}

/**
 * Reads what the SDK hides of answers on our sockets: the host's clock, and the hourly limit, which it drops from errors. It also
 * turns each chunk into text by itself and so breaks characters that span two; JSON answers are therefore decoded here.
 */
export function watchAnswers(
  { uploads, calls }: { uploads: AgentPool; calls: AgentPool },
  now: () => number,
  onRateLimit: (limit: RateLimit) => void,
): AnswerWatch {
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
    const isCall = calls.carriesText(request.agent);
    if (!isCall && !uploads.carriesText(request.agent)) return;
    const { headers } = response;
    if (/\bjson\b/i.test(headers['content-type'] ?? '')) response.setEncoding('utf8');
    readClock(headers.date);
    const limit = isCall ? rateLimitIn(headers) : null;
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
