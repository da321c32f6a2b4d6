import { once } from 'node:events';
import { IncomingMessage, ServerResponse, type Server, type ServerOptions } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Express, Request } from 'express';
import type { Settings } from '@holdfast/foundation/config';
import { createBoundedServer } from '@holdfast/shared/http';
import { listenOn, service, untilAborted, type Service } from '@holdfast/foundation/lifecycle';
import { SLOWEST_BYTES_PER_SECOND } from '@holdfast/shared/media';
import type { Dependencies } from '../dependencies.js';
import { lineOf } from './access.js';
import { nameOfAddress } from './request-context.js';
import type { Shutdown } from './shutdown.js';

/** The server: starts listening; stops by refusing new work, draining, and cutting what is left at the deadline. */
export function httpServer(
  app: Express,
  { settings, address, shutdown, log }: Pick<Dependencies, 'settings' | 'address' | 'shutdown' | 'log'>,
): Service {
  const { host, port } = settings.http;
  const handle = (req: IncomingMessage, res: ServerResponse): void => {
    if (!isReadable(req.url ?? '')) req.url = UNREADABLE;
    // Kept-alive connections end with their next answer.
    if (shutdown.draining.aborted) res.setHeader('Connection', 'close');
    app(req, res);
  };
  const server = createBoundedServer(handle, {
    messages: expressMessages(app),
    requestWithinMs: 60_000 + Math.ceil((settings.uploads.maxBytes / SLOWEST_BYTES_PER_SECOND) * 1_000),
    clients: {
      clientOfAddress: nameOfAddress,
      // Requests of `messages` are Express' own.
      lineOf: (req, hasPaused) => lineOf(settings.access, req as Request, hasPaused),
    },
  });
  // Handlers invite the body themselves (request-bodies.ts), once nothing can refuse the request unread.
  server.on('checkContinue', (req, res) => server.emit('request', req, res));
  // Unknown expectations are ignored.
  server.on('checkExpectation', (req, res) => server.emit('request', req, res));
  return service('http-server', {
    start: async () => {
      await listenOn(server, host, port);
      address.port = (server.address() as AddressInfo).port;
      log.info('http.listening', { host, port: address.port });
    },
    stop: (deadline) => drain(server, shutdown, deadline),
  });
}

/** Where the target of a request is not a valid address, Express would answer by itself. Nor can it read this path, which it gives to our error handler. */
const UNREADABLE = '/media/%';

/** A path, the `*` of OPTIONS, or a whole address, as clients write it to a proxy. */
function isReadable(target: string): boolean {
  return target.startsWith('/') || target === '*' || URL.canParse(target);
}

async function drain(server: Server, shutdown: Shutdown, deadline: AbortSignal): Promise<void> {
  shutdown.drain();
  const closed = once(server.close(), 'close');
  // Connections that fall idle one by one would otherwise hold the server for their whole keep-alive time.
  const sweep = setInterval(() => server.closeIdleConnections(), 200);
  await untilAborted(closed, deadline).catch(() => {
    shutdown.cutAll();
    // A moment for the answers to uploads that were just cut.
    setTimeout(() => server.closeAllConnections(), 500).unref();
  });
  await closed;
  clearInterval(sweep);
}

/**
 * Classes of requests and answers that already have the prototypes which Express sets on each one it gets. With nothing left to set
 * they share a shape; otherwise V8 looks up each of their properties the slow way, a third of the API's time for a small upload. Call
 * it once for each app, before its first request.
 */
export function expressMessages(app: Express): Pick<ServerOptions, 'IncomingMessage' | 'ServerResponse'> {
  class AppRequest extends IncomingMessage {}
  class AppResponse<Of extends IncomingMessage = IncomingMessage> extends ServerResponse<Of> {}
  app.request = adopt(AppRequest.prototype, app.request, app);
  app.response = adopt(AppResponse.prototype, app.response, app);
  return { IncomingMessage: AppRequest, ServerResponse: AppResponse };
}

/** The prototype of a class as Express wants its own: on top of what it has, and knowing the app. */
function adopt<Prototype extends object>(prototype: object, express: Prototype, app: Express): Prototype {
  Object.setPrototypeOf(prototype, express);
  return Object.assign(prototype, { app }) as Prototype;
}

export type PublicAddress = ReturnType<typeof createPublicAddress>;

/** Where clients reach this API, without a slash at the end: PUBLIC_URL where it is set, else the address that the server listens on. */
export function createPublicAddress(http: Settings['http']) {
  const anywhere = http.host === '0.0.0.0' || http.host === '::';
  const name = anywhere ? 'localhost' : http.host.includes(':') ? `[${http.host}]` : http.host;
  const address = {
    /** The one that was really bound, once the server listens. */
    port: http.port,
    url: (): string => http.publicUrl ?? `http://${name}:${String(address.port)}`,
  };
  return address;
}
