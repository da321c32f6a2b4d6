import { randomUUID } from 'node:crypto';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { ServerOptions, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { HoldfastError, PROBLEM_TYPE, problemOf, type ErrorCode } from '@holdfast/foundation/errors';
import { boundConnections, type Clients } from './connections.js';

const HEADERS_WITHIN_MS = 30_000;
/** Longer than the idle time of a proxy in front, which would otherwise send into a connection that just closed. */
const KEEP_ALIVE_MS = 65_000;
const CHECK_CONNECTIONS_MS = 5_000;

interface BoundedServerOptions {
  /** How long a request may take to arrive, its body included. */
  requestWithinMs: number;
  clients?: Clients;
  /** The classes of requests and answers; Node's own by default. */
  messages?: Pick<ServerOptions, 'IncomingMessage' | 'ServerResponse'>;
}

/**
 * An HTTP server that no single client can take for itself: connections, requests sent ahead, answers that are not read, and time are
 * bounded. Anything that is not a request is answered with a problem document.
 */
export function createBoundedServer(
  handle: RequestListener,
  { requestWithinMs, clients, messages }: BoundedServerOptions,
): Server {
  const server = createServer({
    ...messages,
    headersTimeout: HEADERS_WITHIN_MS,
    requestTimeout: requestWithinMs,
    keepAliveTimeout: KEEP_ALIVE_MS,
    connectionsCheckingInterval: CHECK_CONNECTIONS_MS,
    // A request without a Host header, too, gets a problem document.
    requireHostHeader: false,
  });
  server.on('request', boundConnections(server, handle, clients));
  answerBrokenRequests(server);
  return server;
}

function answerBrokenRequests(server: Server): void {
  // The last answer of each connection: the answer to what follows it must not take its place.
  const latest = new WeakMap<Duplex, ServerResponse>();
  const ending = new WeakSet<Duplex>();
  server.prependListener('request', (req, res) => latest.set(req.socket, res));
  server.on('clientError', (error: Error & { code?: string }, socket) => {
    if (ending.has(socket)) return;
    const last = latest.get(socket);
    const unanswered = last?.writableFinished === false ? last : null;
    if (unanswered?.req.complete === true) {
      // A whole request came before: it gets its answer, then the connection ends.
      ending.add(socket);
      if (!unanswered.headersSent) unanswered.setHeader('Connection', 'close');
      unanswered.once('finish', () => socket.end());
      return;
    }
    // An answer that is under way cannot be replaced.
    const isReplaceable = socket.writable && unanswered?.headersSent !== true;
    const answer = isReplaceable ? brokenRequestAnswer(error.code, unanswered) : null;
    if (answer === null) socket.destroy();
    else socket.end(answer);
  });
}

/** What Node could not read as a request, by its error code; anything else from the parser is a malformed request. */
const codes: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  HPE_HEADER_OVERFLOW: ['HEADERS_TOO_LARGE', 'the headers are larger than 16 kB'],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: ['BODY_TOO_LARGE', 'the chunk extensions are too large'],
  ERR_HTTP_REQUEST_TIMEOUT: ['REQUEST_TIMEOUT', 'the request took too long to arrive'],
};

/** The whole answer as text, since a response object is not there or must not be used any more. `unanswered`: whose body broke off. */
function brokenRequestAnswer(errorCode = '', unanswered: ServerResponse | null): string | null {
  const known = codes[errorCode];
  if (known === undefined && !errorCode.startsWith('HPE_')) return null;
  const [code, detail] = known ?? malformed(errorCode, unanswered !== null);
  const requestId = String(unanswered?.getHeader('x-request-id') ?? randomUUID());
  const problem = problemOf(new HoldfastError(code, detail), requestId);
  const body = JSON.stringify(problem);
  return [
    `HTTP/1.1 ${String(problem.status)} ${problem.title}`,
    `Content-Type: ${PROBLEM_TYPE}`,
    `Content-Length: ${String(Buffer.byteLength(body))}`,
    `X-Request-Id: ${requestId}`,
    'Connection: close',
    '',
    body,
  ].join('\r\n');
}

function malformed(errorCode: string, isBody: boolean): readonly [ErrorCode, string] {
  if (!isBody) return ['INVALID_REQUEST', 'this is not an HTTP/1.1 request'];
  const ended = errorCode === 'HPE_INVALID_EOF_STATE';
  return ['MALFORMED_BODY', ended ? 'the body ended before it was complete' : 'the body cannot be read'];
}
