import { randomUUID } from 'node:crypto';
import http, { type Agent, type ClientRequest, type IncomingMessage } from 'node:http';
import https from 'node:https';
import { createRequire } from 'node:module';
import type { Socket } from 'node:net';
import { pipeline, type Writable } from 'node:stream';
import type { ConfigOptions, v2 as Sdk } from 'cloudinary';
import type { CloudinarySettings } from '@holdfast/foundation/config';
import { HoldfastError } from '@holdfast/foundation/errors';
import { onAbort } from '@holdfast/foundation/lifecycle';
import type { Logger } from '@holdfast/foundation/logging';
import { SLOWEST_BYTES_PER_SECOND } from '../../media/index.js';
import { toSourceError } from '../body.js';
import { createRateBudget, toHostError } from './errors.js';

// Everything that tames Cloudinary's SDK (2.11): how it is loaded, on which sockets it runs, how one request ends, what it hides.

/** What the SDK takes, and its own types leave out. What it answers they only claim: every answer is parsed in replies.ts. */
declare module 'cloudinary' {
  namespace v2 {
    interface search {
      execute(options: ConfigOptions): Promise<unknown>;
    }
  }
}

/**
 * Loads the SDK for the protocol of `apiUrl`. The SDK chooses between http and https once, from CLOUDINARY_URL, and reads more variables
 * while it is loaded; so the environment is ours for the length of the (synchronous) load.
 * Throws CONFIG_INVALID when the SDK of this process already speaks the other protocol.
 */
export function loadSdk(apiUrl: string): typeof Sdk {
  const { env } = process;
  const unused = `cloudinary://unused:unused@unused?upload_prefix=${encodeURIComponent(apiUrl)}`;
  try {
    process.env = { CLOUDINARY_URL: unused };
    const { v2: sdk } = createRequire(import.meta.url)('cloudinary') as { v2: typeof Sdk };
    const loadedFor = String(sdk.config({ hide_sensitive: true })['upload_prefix']);
    if (isHttp(loadedFor) !== isHttp(apiUrl)) {
      throw new HoldfastError(
        'CONFIG_INVALID',
        'one process can reach Cloudinary by http or by https, not both: its SDK decides once',
      );
    }
    // It makes the boundaries of forms. Its own keeps only the lower-case letters and digits of 16 characters: of one form in 550,000
    // none, which the host refuses.
    Object.assign(sdk.utils, { random_public_id: randomUUID });
    return sdk;
  } finally {
    process.env = env;
  }
}

function isHttp(url: string): boolean {
  return url.startsWith('http:');
}

/** How long a host may take, in milliseconds. */
const usualTimeouts = {
  /** One small signed call. */
  callMs: 15_000,
  /** One page of a listing; a download without a byte. */
  pageMs: 30_000,
  /** Without a byte in either direction during an upload; grows with the size, since hosts work on large files silently. */
  uploadIdleMs: 30_000,
};
const MAX_EXTRA_IDLE_MS = 150_000;

/** What a host on Cloudinary needs; tests set other limits. */
export interface CloudinaryOptions {
  log: Logger;
  timeouts?: Partial<typeof usualTimeouts>;
  /** Larger bodies go up in parts. */
  maxRequestBytes?: number;
}

interface RequestLimits {
  deadlineMs: number;
  /** Idle time of the socket; the deadline unless given. */
  idleMs?: number;
  signal: AbortSignal | undefined;
}

export type Connection = ReturnType<typeof connect>;

type SdkRequest = (options: ConfigOptions) => Promise<unknown>;

/**
 * One account, and the only way to call it: credentials added, deadlines kept, errors converted. Throws CONFIG_INVALID when this process
 * already uses the SDK with the other protocol.
 */
export function connect(settings: CloudinarySettings, options: CloudinaryOptions) {
  const { log } = options;
  const timeouts = { ...usualTimeouts, ...options.timeouts };
  const sdk = loadSdk(settings.apiUrl);
  // Given with each call, so that the SDK's process-wide configuration is never read.
  const credentials = {
    cloud_name: settings.cloudName,
    api_key: settings.apiKey,
    api_secret: settings.apiSecret,
    upload_prefix: settings.apiUrl,
    signature_algorithm: settings.signatureAlgorithm,
  };
  /** Of the last call that began: the SDK gives nobody its requests, and nothing else can end them. */
  let begun: ClientRequest | undefined;
  const sockets = keepSockets(settings.apiUrl, (request) => {
    begun = request.prependOnceListener('response', readAnswer);
  });
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
    let request: ClientRequest | undefined;
    try {
      // The SDK makes its request before it returns, or throws at once on some bad options.
      return await withinLimits(limits, async () => {
        begun = undefined;
        // For Admin calls the SDK arms its timeout without effect.
        const answer = start({ ...credentials, agent: sockets, timeout: limits.idleMs ?? limits.deadlineMs });
        request = begun;
        return answer;
      });
    } catch (error) {
      throw toHostError(error, budget.retryAfter);
    } finally {
      request?.destroy();
    }
  };

  return {
    sdk,
    credentials,
    timeouts,
    log,
    /**
     * One upload request, of a file of so many bytes or of a part of it. With a fixed public id, a repeated upload finds the first one
     * instead of replacing it. The SDK alone may call back twice, never, or throw; here it settles exactly once, and only the SDK's
     * callback means success.
     */
    upload: (
      params: Readonly<Record<string, unknown>>,
      content: Content,
      { bytes, signal }: { bytes: number; signal: AbortSignal | undefined },
    ): Promise<unknown> => {
      const idleMs = timeouts.uploadIdleMs + Math.min(Math.round(bytes / 1_000), MAX_EXTRA_IDLE_MS);
      const deadlineMs = 2 * idleMs + Math.round((bytes / SLOWEST_BYTES_PER_SECOND) * 1_000);
      return send(
        { deadlineMs, idleMs, signal },
        (call) =>
          new Promise((resolve, reject) => {
            const settled = (error: unknown, reply: unknown): void =>
              // oxlint-disable-next-line typescript/prefer-promise-reject-errors -- converted once, by `send`
              error === undefined || error === null ? resolve(reply) : reject(error);
            // The file name is written unescaped into a header; the real one travels in the context.
            const fixed = { overwrite: false, filename: 'file', disable_promises: true };
            write(content, sdk.uploader.upload_stream({ ...call, ...params, ...fixed }, settled), reject);
          }),
      );
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

/** Chunks in memory, or as they come. */
export type Content = readonly Buffer[] | AsyncIterable<Buffer>;

function write(content: Content, sink: Writable, fail: (error: Error) => void): void {
  if (Array.isArray(content)) {
    for (const chunk of content) sink.write(chunk);
    sink.end();
    return;
  }
  pipeline(content as AsyncIterable<Buffer>, sink, (error) => {
    if (error) fail(toSourceError(error));
  });
}

/**
 * The outcome of the work, or a rejection when the time is up (HOST_TIMEOUT) or the signal aborts (its reason). The caller ends the
 * work then.
 */
export function withinLimits<T>({ deadlineMs, signal }: RequestLimits, work: () => Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const timer = setTimeout(() => reject(new HoldfastError('HOST_TIMEOUT')), deadlineMs);
    const forgetAbort = onAbort(signal, reject);
    void work()
      .finally(() => {
        clearTimeout(timer);
        forgetAbort();
      })
      .then(resolve, reject);
  });
}

/** The host may just have closed a socket that idled for longer; the SDK never retries a stale one. */
const MAX_IDLE_MS = 4_000;

/** What Node's http calls of an agent. Its types leave this out. */
interface Sockets extends Agent {
  addRequest(request: ClientRequest, options: unknown): void;
}

/** Sockets for the next requests, the last used first. Each request is shown as it is made. */
function keepSockets(apiUrl: string, onRequest: (request: ClientRequest) => void): Agent {
  const { Agent: AgentClass } = isHttp(apiUrl) ? http : https;
  const sockets = new AgentClass({
    keepAlive: true,
    maxFreeSockets: Infinity,
    scheduling: 'lifo',
  }) as Sockets;
  const addRequest = sockets.addRequest.bind(sockets);
  sockets.addRequest = (request, options) => {
    onRequest(request);
    addRequest(request, options);
  };
  // Called with a socket that has become idle. Not the option `timeout`: that would end slow connects as well.
  sockets.keepSocketAlive = (socket: Socket) => {
    socket.unref();
    socket.setTimeout(MAX_IDLE_MS);
    return true;
  };
  return sockets;
}
