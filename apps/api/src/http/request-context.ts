import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import type { Request, RequestHandler, Response } from 'express';
import { ipKeyGenerator } from 'express-rate-limit';
import type { Role } from '@holdfast/foundation/config';
import { requestIdFrom, type Logger } from '@holdfast/foundation/logging';

/** The client of a request. `anonymous` has all roles where no key is configured, and none elsewhere. */
export interface Client {
  name: string;
  role: Role | null;
  via: 'token' | 'basic' | 'anonymous';
}

/** What every handler may know about the request it serves. */
export interface RequestContext {
  requestId: string;
  client: Client;
  /** Adds the request id to each of its events. */
  log: Logger;
  /** Path of the route's row in the table; absent where no row fits. */
  route?: string;
  /** Code of the problem that was answered, for log and metrics. */
  problem?: string;
}

export const anonymous: Client = { name: 'anonymous', role: null, via: 'anonymous' };

/** On the request itself: values of a WeakMap survive until a collection of the whole heap (docs/performance.md). */
const key = Symbol('context');

type Carrier = IncomingMessage & { [key]?: RequestContext };

/** Machines request these every few seconds, so they are logged at `debug`. */
const quiet = new Set(['/livez', '/readyz', '/metrics', '/api/media/health']);

/**
 * Runs first: gives each request its id and its context, and logs it once its answer is out or its client is gone. The query is left
 * out of the log: it may hold anything.
 */
export function requestContext(log: Logger, whoSends: (req: Request) => Client): RequestHandler {
  return (req, res, next) => {
    const start = performance.now();
    const { method, path } = req;
    const requestId = requestIdFrom(req.get('x-request-id'));
    const context: RequestContext = { requestId, client: whoSends(req), log: log.child({ requestId }) };
    (req as Carrier)[key] = context;
    res.setHeader('X-Request-Id', requestId);
    res.once('close', () => {
      const { client, problem } = context;
      context.log[quiet.has(path) ? 'debug' : 'info']('http.request', {
        method,
        path,
        // A client that left before got nothing.
        status: res.headersSent ? res.statusCode : null,
        durationMs: Math.round(performance.now() - start),
        client: client.name,
        ...(problem === undefined ? {} : { code: problem }),
        ...(res.writableFinished ? {} : { aborted: true }),
      });
    });
    next();
  };
}

/** The context of a request. Throws where requestContext has not run. */
export function contextOf(req: IncomingMessage): RequestContext {
  const context = (req as Carrier)[key];
  if (context === undefined) throw new Error('a request without a context: requestContext must run first');
  return context;
}

/** Aborts when the client goes before its answer, also when it has gone already. */
export function goneWith(res: Response): AbortSignal {
  const gone = new AbortController();
  const onClose = (): void => {
    if (!res.writableEnded) gone.abort();
  };
  if (res.closed) onClose();
  else res.once('close', onClose);
  return gone.signal;
}

/** What counts as one client: a key, or an address where there is none. */
export const clientOf = (req: Request): string => nameOf(contextOf(req).client, req);

export function nameOf(client: Client, req: Request): string {
  return client.via === 'anonymous' ? `address-${addressOf(req)}` : `key-${client.name}`;
}

/** The address that a request comes from, by TRUST_PROXY. */
export const addressOf = (req: Request): string => nameOfAddress(req.ip ?? '');

/**
 * One name for all notations and, with IPv6, all addresses of one client: providers give it at least a /64, and it may use another address
 * for each request. `unknown` for a text that is not an address.
 */
export function nameOfAddress(address: string): string {
  // Some proxies add the port: `192.0.2.1:4711`, `[2001:db8::1]:4711`.
  const bare = /^\[(.+)\](?::\d+)?$/.exec(address)?.[1] ?? address.replace(/^([\d.]+):\d+$/, '$1');
  return isIP(bare) === 0 ? 'unknown' : ipKeyGenerator(bare, 64);
}
