import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Express } from 'express';
import { listenOn, service, type Service } from '@holdfast/shared/lifecycle';
import type { Logger } from '@holdfast/shared/logging';
import { SLOWEST_BYTES_PER_SECOND } from '@holdfast/shared/media';
import { answerBrokenRequest } from './broken-request.js';
import { oneAtATime } from './connections.js';
import { awaitsInvitation } from './expect-continue.js';
import { expressMessages } from './express-messages.js';
import type { PublicAddress } from './public-address.js';
import { withReadableTarget } from './readable-target.js';
import type { Shutdown } from './shutdown.js';

const HEADERS_WITHIN_MS = 30_000;
/** Longer than the idle time of a proxy in front, which would else send into a connection that just closed. */
const KEEP_ALIVE_MS = 65_000;
const CHECK_CONNECTIONS_MS = 5_000;

export interface HttpServerOptions {
  app: Express;
  host: string;
  port: number;
  /** The largest body that may arrive; decides how long a request may take. */
  maxBodyBytes: number;
  shutdown: Shutdown;
  address: PublicAddress;
  log: Logger;
}

/** The server: starts listening; stops by refusing new work, draining, and cutting what is left at the deadline. */
export function httpServer(options: HttpServerOptions): Service {
  const { app, host, port, maxBodyBytes, shutdown, address, log } = options;
  const server = createServer({
    ...expressMessages(app),
    headersTimeout: HEADERS_WITHIN_MS,
    requestTimeout: 60_000 + Math.ceil((maxBodyBytes / SLOWEST_BYTES_PER_SECOND) * 1_000),
    keepAliveTimeout: KEEP_ALIVE_MS,
    connectionsCheckingInterval: CHECK_CONNECTIONS_MS,
    // Answers to requests without a Host header too are ours.
    requireHostHeader: false,
  });
  server.on('request', oneAtATime(server, withReadableTarget(app)));
  answerWhatIsNoRequest(server);
  // Handlers invite the body themselves (expect-continue.ts), once nothing can refuse the request unread.
  server.on('checkContinue', (req, res) => {
    awaitsInvitation(req);
    server.emit('request', req, res);
  });
  // Expectations that we do not know are not met, and nobody minds.
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

/** The last request of each connection and its answer: what cannot be read after it must not take that answer's place. */
function answerWhatIsNoRequest(server: Server): void {
  const latest = new WeakMap<Duplex, { req: IncomingMessage; res: ServerResponse }>();
  const ending = new WeakSet<Duplex>();
  server.prependListener('request', (req, res) => latest.set(req.socket, { req, res }));
  server.on('clientError', (error: Error & { code?: string }, socket) => {
    if (ending.has(socket)) return;
    const last = latest.get(socket);
    if (last?.req.complete === true && !last.res.writableFinished) {
      // What cannot be read came after a whole request: that one gets its answer, then the connection ends.
      ending.add(socket);
      if (!last.res.headersSent) last.res.setHeader('Connection', 'close');
      last.res.once('finish', () => socket.end());
      return;
    }
    const unanswered = last !== undefined && !last.res.writableFinished ? last.res : null;
    // An answer that is under way cannot be replaced.
    if (unanswered?.headersSent === true) socket.destroy();
    else answerBrokenRequest(error, socket, unanswered && { requestId: idOf(unanswered) });
  });
}

const idOf = (res: ServerResponse): string => String(res.getHeader('x-request-id') ?? randomUUID());

async function drain(server: Server, shutdown: Shutdown, deadline: AbortSignal): Promise<void> {
  shutdown.drain();
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  // Connections that fall idle one by one would else hold the server for their whole keep-alive time.
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
