import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Express, Request } from 'express';
import type { AccessSettings } from '@holdfast/foundation/config';
import { HoldfastError } from '@holdfast/foundation/errors';
import { createBoundedServer } from '@holdfast/shared/http';
import { listenOn, service, type Service } from '@holdfast/foundation/lifecycle';
import { requestIdFrom, type Logger } from '@holdfast/foundation/logging';
import { SLOWEST_BYTES_PER_SECOND } from '@holdfast/shared/media';
import { lineOf } from './access.js';
import { expressMessages } from './express-messages.js';
import { sendProblem } from './problems.js';
import { awaitsInvitation } from './request-bodies.js';
import { nameOfAddress } from './request-context.js';
import type { Shutdown } from './shutdown.js';

export interface HttpServerOptions {
  app: Express;
  host: string;
  port: number;
  /** The largest body that may arrive; decides how long a request may take. */
  maxBodyBytes: number;
  access: Pick<AccessSettings, 'keys'>;
  shutdown: Shutdown;
  address: PublicAddress;
  log: Logger;
}

/** The server: starts listening; stops by refusing new work, draining, and cutting what is left at the deadline. */
export function httpServer(options: HttpServerOptions): Service {
  const { app, host, port, maxBodyBytes, access, shutdown, address, log } = options;
  const server = createBoundedServer({
    messages: expressMessages(app),
    handle: withReadableTarget(app),
    requestWithinMs: 60_000 + Math.ceil((maxBodyBytes / SLOWEST_BYTES_PER_SECOND) * 1_000),
    // Requests of `messages` are Express' own.
    clients: {
      clientOfAddress: nameOfAddress,
      lineOf: (req, hasPaused) => lineOf(access, req as Request, hasPaused),
    },
  });
  // Handlers invite the body themselves (request-bodies.ts), once nothing can refuse the request unread.
  server.on('checkContinue', (req, res) => {
    awaitsInvitation(req);
    server.emit('request', req, res);
  });
  // Unknown expectations are ignored.
  server.on('checkExpectation', (req, res) => server.emit('request', req, res));
  return service('http-server', {
    start: async () => {
      await listenOn(server, { host, port, settings: { host: 'HOST', port: 'PORT' } });
      const bound = server.address() as AddressInfo;
      address.boundTo(bound);
      log.info('http.listening', { host, port: bound.port });
    },
    stop: (deadline) => drain(server, shutdown, deadline),
  });
}

/** Where the target of a request is not a valid address, Express would answer before any of our handlers. */
function withReadableTarget(app: (req: IncomingMessage, res: ServerResponse) => void): RequestListener {
  return (req, res) => {
    if (isReadable(req.url ?? '')) {
      app(req, res);
      return;
    }
    const id = requestIdFrom(req.headers['x-request-id']);
    res.setHeader('X-Request-Id', id);
    sendProblem(
      res,
      new HoldfastError('INVALID_REQUEST', 'the target of the request is not a valid address'),
      id,
    );
  };
}

/** A path, the `*` of OPTIONS, or a whole address, as clients write it to a proxy. */
function isReadable(target: string): boolean {
  return target.startsWith('/') || target === '*' || URL.canParse(target);
}

async function drain(server: Server, shutdown: Shutdown, deadline: AbortSignal): Promise<void> {
  shutdown.drain();
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  // Connections that fall idle one by one would otherwise hold the server for their whole keep-alive time.
  const sweep = setInterval(() => server.closeIdleConnections(), 200);
  const cut = (): void => {
    shutdown.cutAll();
    // A moment for the answers to uploads that were just cut.
    setTimeout(() => server.closeAllConnections(), 500).unref();
  };
  if (deadline.aborted) cut();
  else deadline.addEventListener('abort', cut, { once: true });
  try {
    await closed;
  } finally {
    clearInterval(sweep);
    deadline.removeEventListener('abort', cut);
  }
}

/** Where clients reach this API, without a slash at the end. */
export interface PublicAddress {
  url(): string;
  /** Takes the port that was really bound. */
  boundTo(address: AddressInfo): void;
}

/** PUBLIC_URL where it is set, else the address that the server listens on. */
export function createPublicAddress(http: {
  host: string;
  port: number;
  publicUrl: string | undefined;
}): PublicAddress {
  let { port } = http;
  const anywhere = http.host === '0.0.0.0' || http.host === '::';
  const name = anywhere ? 'localhost' : http.host.includes(':') ? `[${http.host}]` : http.host;
  return {
    url: () => http.publicUrl ?? `http://${name}:${String(port)}`,
    boundTo: (address) => {
      ({ port } = address);
    },
  };
}
