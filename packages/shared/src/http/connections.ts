import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { createShares } from './shares.js';
import { createTurns, type Line } from './turns.js';

/**
 * A client that waits so long before its next request does not ask without a pause. Far more than an answer and the next request take on a
 * slow machine, and less than any orchestrator waits between two probes.
 */
const PAUSE_MS = 250;

/** Unanswered requests of one connection; beyond them nothing more is read from it. */
const UNANSWERED = 16;

/**
 * Each chunk of a body costs the same time however small it is: a body of one-byte chunks would take the whole process. After so many
 * free chunks their mean length must be at least this, or the connection ends and the line of the request is held back for a while: its
 * client would send the next one at once.
 */
const FREE_CHUNKS = 4_000;
const LEAST_MEAN_BYTES = 64;

const SUM_EVERY_MS = 100;
/** Before an answer that makes no progress ends its connection. */
const LOOKS = 6;

/** Of the whole process. */
const LIMITS = {
  /** Connections that clients share, by address: idle ones of the client with the most make room for those of others. */
  connections: 10_000,
  /** Requests sent ahead. Beyond them, connections that send one more are cut. */
  waiting: 10_000,
  /** Bytes of answers that may wait for their clients; beyond them the largest answers are cut. */
  unreadBytes: 256_000_000,
  /** An answer that makes no progress for so long ends its connection. */
  stuckMs: 30_000,
};

export interface Clients {
  /** One name for all addresses of a client. */
  clientOfAddress?: (address: string) => string;
  /**
   * Where a request waits for its turn: with all others of its address by default. `hasPaused`: the first one of its connection, or one
   * that was not sent as soon as the one before was answered.
   */
  lineOf?: (req: IncomingMessage, hasPaused: boolean) => Line;
}

class Connection {
  /** The first is served, or waits for its turn. The others were sent ahead. */
  unanswered: [IncomingMessage, ServerResponse][] = [];
  leaveLine = (): void => undefined;
  /** Since when no request is served; Infinity while one is. Its first request follows no other. */
  idleSince = performance.now() - PAUSE_MS;
  /** Looks in a row at which its answer had made no progress, and the time of the last one. */
  stuckLooks = 0;
  lookedAt = 0;

  isFull(): boolean {
    return this.unanswered.length >= UNANSWERED;
  }
}

const TURN_ENDS = Symbol('turn ends');

/** Ends the turn of a request before its answer begins: from here on it waits for others than this process. */
export function endTurn(res: ServerResponse): void {
  res.emit(TURN_ENDS);
}

/** How a turn ends: how fast the client then reads its answer does not count. */
const TURN_ENDINGS = ['pipe', 'finish', 'close', TURN_ENDS] as const;

/**
 * Bounds the connections of a client, and what each of them holds: one answer at a time, so that what it does not read is one answer at
 * most. Each request begins when the turn of its line has come. Returns the listener of the server.
 */
export function boundConnections(
  server: Server,
  handle: RequestListener,
  { clientOfAddress = (address) => address, lineOf = lineOfAddress }: Clients = {},
  given: Partial<typeof LIMITS> = {},
  turns = createTurns(),
): RequestListener {
  const limits = { ...LIMITS, ...given };
  const lookMs = limits.stuckMs / LOOKS;
  const places = createShares(limits.connections);
  const connections = new Map<Socket, Connection>();
  let waiting = 0;
  let summedAt = -Infinity;

  const cutLargest = (): void => {
    const now = performance.now();
    if (now - summedAt < SUM_EVERY_MS) return;
    summedAt = now;
    const unread = [...connections.keys()].filter((socket) => socket.writableLength > 0);
    let sum = unread.reduce((bytes, socket) => bytes + socket.writableLength, 0);
    if (sum <= limits.unreadBytes) return;
    for (const socket of unread.toSorted((a, b) => b.writableLength - a.writableLength)) {
      sum -= socket.writableLength;
      socket.destroy();
      if (sum <= limits.unreadBytes) return;
    }
  };

  server.on('connection', (socket) => {
    const connection = new Connection();
    const leave = places.take(clientOfAddress(addressOf(socket)), {
      giveUp: () => socket.destroy(),
      pace: () => connection.idleSince,
    });
    if (leave === null) {
      socket.destroy();
      return;
    }
    connections.set(socket, connection);
    forgoStacks(socket);
    // Node also resumes the socket by itself.
    socket.on('resume', () => connection.isFull() && socket.pause());
    socket.once('close', () => {
      leave();
      connection.leaveLine();
      waiting -= Math.max(0, connection.unanswered.length - 1);
      connection.unanswered = [];
      connections.delete(socket);
    });
  });

  const serveFirst = (connection: Connection): void => {
    const [first] = connection.unanswered;
    if (first === undefined) return;
    const [req, res] = first;
    const line = lineOf(req, performance.now() - connection.idleSince >= PAUSE_MS);
    connection.leaveLine = turns.enter(line, (end) => {
      if (req.socket.destroyed) {
        end();
        return;
      }
      for (const ending of TURN_ENDINGS) res.once(ending, end);
      connection.idleSince = Infinity;
      cutLargest();
      endTinyChunks(req, () => turns.holdBack(line));
      // Node sets its own time after the answer, of an idle connection.
      req.socket.setTimeout(lookMs);
      // An answer that is not finished ends its connection.
      res.once('finish', () => {
        connection.idleSince = performance.now();
        const wasFull = connection.isFull();
        connection.unanswered.shift();
        if (connection.unanswered.length === 0) return;
        waiting -= 1;
        if (wasFull) req.socket.resume();
        serveFirst(connection);
      });
      handle(req, res);
    });
  };

  server.on('timeout', (socket) => {
    const connection = connections.get(socket);
    if (connection === undefined || connection.unanswered.length === 0) {
      socket.destroy();
      return;
    }
    // Nothing waits to be read: the handler is at work, and the next write restarts the timer.
    if (socket.writableLength === 0) return;
    const now = performance.now();
    // Node reports nothing while bytes move, so then the last look was longer ago.
    connection.stuckLooks = now - connection.lookedAt < 1.5 * lookMs ? connection.stuckLooks + 1 : 1;
    connection.lookedAt = now;
    if (connection.stuckLooks >= LOOKS) socket.destroy();
    else socket.setTimeout(lookMs);
  });

  return (req, res) => {
    const connection = connections.get(req.socket);
    if (connection === undefined) return;
    if (connection.unanswered.push([req, res]) === 1) {
      serveFirst(connection);
      return;
    }
    waiting += 1;
    if (waiting > limits.waiting) req.socket.destroy();
    else if (connection.isFull()) req.socket.pause();
  };
}

const addressOf = ({ remoteAddress = '' }: Socket): string => remoteAddress;
const lineOfAddress = ({ socket }: IncomingMessage): Line => ({ name: addressOf(socket), isLimited: true });

/**
 * As a connection closes, Node makes an error for each request that it still has, and reads its stack trace. For those who send many
 * requests ahead and are cut, that took a sixth of the time of this process. Node's own listener stands between these two.
 */
function forgoStacks(socket: Socket): void {
  let limit = Error.stackTraceLimit;
  socket.prependOnceListener('close', () => {
    limit = Error.stackTraceLimit;
    Error.stackTraceLimit = 0;
  });
  socket.once('close', () => {
    Error.stackTraceLimit = limit;
  });
}

/** Node's parser passes each chunk to `push`, before any reader of the body. It has thousands more of them in what it read of the socket. */
function endTinyChunks(req: IncomingMessage, onEnd: () => void): void {
  const push = req.push.bind(req);
  let chunks = 0;
  let bytes = 0;
  req.push = (chunk: Buffer | null, encoding) => {
    chunks += 1;
    bytes += chunk?.length ?? 0;
    if (chunk === null || chunks <= FREE_CHUNKS || bytes >= chunks * LEAST_MEAN_BYTES)
      return push(chunk, encoding);
    req.push = () => false;
    req.socket.destroy();
    onEnd();
    return false;
  };
}
