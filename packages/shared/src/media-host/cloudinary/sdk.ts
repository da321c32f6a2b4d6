import { randomBytes } from 'node:crypto';
import http, { type Agent, type ClientRequest, type IncomingMessage } from 'node:http';
import https from 'node:https';
import { createRequire } from 'node:module';
import type { Socket } from 'node:net';
import { pipeline, type Readable, type Writable } from 'node:stream';
import type { CloudinarySettings } from '@holdfast/foundation/config';
import { HoldfastError } from '@holdfast/foundation/errors';
import { abortReason, isAborted, onAbort, untilAborted } from '@holdfast/foundation/lifecycle';
import type { Logger } from '@holdfast/foundation/logging';
import { SLOWEST_BYTES_PER_SECOND } from '../../media/index.js';
import { toSourceError } from '../body.js';
import { createRateBudget, toHostError } from './errors.js';

// Everything that tames Cloudinary's SDK (2.11): how it is loaded, on which sockets it runs, how one request ends, what it hides.

/** Given with each call, so that the SDK's process-wide configuration is never read. */
function credentialsOf(settings: CloudinarySettings) {
  return {
    cloud_name: settings.cloudName,
    api_key: settings.apiKey,
    api_secret: settings.apiSecret,
    upload_prefix: settings.apiUrl,
    signature_algorithm: settings.signatureAlgorithm,
  };
}

type Credentials = ReturnType<typeof credentialsOf>;

interface CallOptions extends Credentials {
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

/**
 * Loads the SDK for the protocol of `apiUrl`. The SDK chooses between http and https once, from CLOUDINARY_URL, and reads more variables
 * while it is loaded; so the environment is ours for the length of the (synchronous) load.
 * Throws CONFIG_INVALID when the SDK of this process already speaks the other protocol.
 */
export function loadSdk(apiUrl: string): CloudinarySdk {
  const { env } = process;
  const unused = `cloudinary://unused:unused@unused?upload_prefix=${encodeURIComponent(apiUrl)}`;
  try {
    process.env = { CLOUDINARY_URL: unused };
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
    process.env = env;
  }
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
const MAX_EXTRA_IDLE_MS = 150_000;

/** What a host on Cloudinary needs; tests set other limits. */
export interface CloudinaryOptions {
  log: Logger;
  timeouts?: Partial<HostTimeouts>;
  /** Larger bodies go up in parts. */
  maxRequestBytes?: number;
}

export interface RequestLimits {
  deadlineMs: number;
  /** Idle time of the socket; the deadline unless given. */
  idleMs?: number;
  signal?: AbortSignal | undefined;
}

export type Connection = ReturnType<typeof connect>;

type SdkRequest = (options: CallOptions) => Promise<unknown>;

/**
 * One account, and the only way to call it: credentials added, deadlines kept, errors converted. Throws CONFIG_INVALID when this process
 * already uses the SDK with the other protocol.
 */
export function connect(settings: CloudinarySettings, options: CloudinaryOptions) {
  const { log } = options;
  const timeouts = { ...usualTimeouts, ...options.timeouts };
  const sdk = loadSdk(settings.apiUrl);
  const credentials = credentialsOf(settings);
  const sockets = keepSockets(settings.apiUrl);
  const budget = createRateBudget();
  let hostIsAheadMs = 0;
  let metered = 0;

  /** What the SDK hides of an answer: the host's clock, and the hourly limit, which it drops from errors. */
  const readAnswer = (response: IncomingMessage): void => {
    // The SDK turns each chunk into text by itself, and so would break characters that span two.
    response.setEncoding('utf8');
    const hostTime = Date.parse(response.headers.date ?? '');
    if (!Number.isNaN(hostTime)) hostIsAheadMs = hostTime - Date.now();
    budget.read(response.headers);
  };

  /** One request of the SDK. It ends with this call, and so does its socket, unless the answer was read to its end. */
  const send = async (limits: RequestLimits, start: SdkRequest): Promise<unknown> => {
    const { deadlineMs, idleMs = deadlineMs } = limits;
    let request: ClientRequest | undefined;
    const agent = agentOf(sockets, (begun) => {
      request = begun;
      begun.prependOnceListener('response', readAnswer);
    });
    try {
      // The SDK throws at once on some bad options.
      return await withinLimits(limits, async () => start({ ...credentials, agent, timeout: idleMs }));
    } catch (error) {
      throw toHostError(error, budget.retryAfter);
    } finally {
      request?.destroy();
    }
  };

  return {
    sdk,
    settings,
    credentials,
    timeouts,
    log,
    /**
     * One upload request, of a file of so many bytes or of a part of it. With a fixed public id, a repeated upload finds the first one
     * instead of replacing it. The SDK alone may call back twice, never, or throw; here it settles exactly once, and only the SDK's
     * callback means success.
     */
    upload: async (
      params: Readonly<Record<string, unknown>>,
      content: Content,
      { bytes, signal }: { bytes: number; signal: AbortSignal | undefined },
    ): Promise<unknown> => {
      const idleMs = timeouts.uploadIdleMs + Math.min(Math.round(bytes / 1_000), MAX_EXTRA_IDLE_MS);
      const deadlineMs = 2 * idleMs + Math.round((bytes / SLOWEST_BYTES_PER_SECOND) * 1_000);
      let sink: Writable | undefined;
      const start = (call: CallOptions): Promise<unknown> =>
        new Promise((resolve, reject) => {
          const settled = (error: unknown, reply?: unknown): void =>
            // oxlint-disable-next-line typescript/prefer-promise-reject-errors -- converted once, by `send`
            error === undefined || error === null ? resolve(reply) : reject(error);
          // The file name is written unescaped into a header; the real one travels in the context.
          const fixed = { overwrite: false, filename: 'file', disable_promises: true };
          sink = sdk.uploader.upload_stream({ ...call, ...params, ...fixed }, settled);
          write(content, sink, reject);
        });
      try {
        return await send({ deadlineMs, idleMs, signal }, start);
      } finally {
        // An early reply leaves it open, and its source with it.
        sink?.destroy();
      }
    },
    /** A call of the upload API: not metered. */
    signed: (signal: AbortSignal | undefined, call: SdkRequest) =>
      send({ deadlineMs: timeouts.callMs, signal }, call),
    /** A call of the Admin or search API: metered. */
    admin: (signal: AbortSignal | undefined, call: SdkRequest) => {
      metered += 1;
      return send({ deadlineMs: timeouts.pageMs, signal }, call);
    },
    metered: () => metered,
    budget: budget.current,
    /** Milliseconds since the epoch by the host's `Date` header, which has whole seconds: up to one second late. Our clock before the first answer. */
    hostNow: () => Date.now() + hostIsAheadMs,
    /** Ends all requests. */
    close: () => sockets.destroy(),
  };
}

/** Chunks in memory; a stream; or chunks as they come. */
export type Content = readonly Buffer[] | Readable | AsyncIterable<Buffer>;

function write(content: Content, sink: Writable, fail: (error: Error) => void): void {
  if (Array.isArray(content)) {
    for (const chunk of content.slice(0, -1)) sink.write(chunk);
    sink.end(content.at(-1));
    return;
  }
  pipeline(content as Readable | AsyncIterable<Buffer>, sink, (error) => {
    if (error) fail(toSourceError(error));
  });
}

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

/** What Node's http calls of an agent. Its types leave this out. */
interface Sockets extends Agent {
  addRequest(request: ClientRequest, options: unknown): void;
}

/** Sockets for the next requests, the last used first. */
function keepSockets(apiUrl: string): Sockets {
  const { Agent: AgentClass } = isHttp(apiUrl) ? http : https;
  const sockets = new AgentClass({
    keepAlive: true,
    maxFreeSockets: Infinity,
    scheduling: 'lifo',
  }) as Sockets;
  // Called with a socket that has become idle. Not the option `timeout`: that would end slow connects as well.
  sockets.keepSocketAlive = (socket: Socket) => {
    socket.unref();
    socket.setTimeout(MAX_IDLE_MS);
    return true;
  };
  return sockets;
}

/** The SDK gives nobody its requests, and they can be ended by nothing else. An agent is what sees them. */
function agentOf(sockets: Sockets, onRequest: (request: ClientRequest) => void): Agent {
  const agent = Object.create(sockets) as Sockets;
  agent.addRequest = (request, options) => {
    onRequest(request);
    sockets.addRequest(request, options);
  };
  return agent;
}
