import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { createShares } from './shares.js';

/** Connections that clients share, by address: idle ones of the client with the most make room for those of others. */
const CONNECTIONS = 10_000;

/** Requests that begin in one round of the event loop. */
const BEGIN_AT_ONCE = 8;

/** Unanswered requests of one connection; beyond them nothing more is read from it. */
const UNANSWERED = 16;
/** Requests that wait for their turn in this process. Beyond them, connections that send one more ahead are cut. */
const WAITING_IN_ALL = 10_000;
/**
 * Each chunk of a body costs the same time however small it is: a body of one-byte chunks would take the whole process. After so many
 * free chunks their mean length must be at least this, or the connection ends.
 */
const FREE_CHUNKS = 4_000;
const LEAST_MEAN_BYTES = 64;

/** An answer that makes no progress for so long ends its connection. */
const STUCK_MS = 30_000;
const LOOK_MS = 5_000;

/** Bytes of answers that may wait for their clients in this process; beyond them the largest answers are cut. */
const UNREAD_IN_ALL = 256_000_000;
const SUM_EVERY_MS = 100;

export interface ConnectionLimits {
  /** One name for all addresses of a client. */
  clientOfAddress?: ((address: string) => string) | undefined;
  connections?: number;
  stuckMs?: number;
  lookMs?: number;
  waitingInAll?: number;
  unreadInAll?: number;
}

type Exchange = [IncomingMessage, ServerResponse];

interface Line {
  client: string;
  busy: boolean;
  waiting: Exchange[];
  stuckSince: number;
  lookedAt: number;
  /** Since when no request is under way. */
  idleSince: number;
}

/**
 * Bounds the connections of a client, and what each of them holds: one answer at a time, so that what it does not read is one answer at
 * most. In each round of the event loop a few requests begin, of each client in turn: work under way goes on between them, however many
 * connections a client has. Returns the listener of the server.
 */
export function boundConnections(
  server: Server,
  handle: RequestListener,
  limits: ConnectionLimits = {},
): RequestListener {
  const { stuckMs = STUCK_MS, lookMs = LOOK_MS } = limits;
  const { waitingInAll = WAITING_IN_ALL, unreadInAll = UNREAD_IN_ALL } = limits;
  const { clientOfAddress = (address: string) => address } = limits;
  const places = createShares(limits.connections ?? CONNECTIONS);
  const lines = new Map<Socket, Line>();
  /** The next request of each connection that has one, by client; the first client is next. */
  const ready = new Map<string, [Line, ...Exchange][]>();
  let begun = 0;
  let waiting = 0;
  let summedAt = -Infinity;

  const cutLargest = (): void => {
    const now = performance.now();
    if (now - summedAt < SUM_EVERY_MS) return;
    summedAt = now;
    const unread = [...lines.keys()].filter((socket) => socket.writableLength > 0);
    let sum = unread.reduce((bytes, socket) => bytes + socket.writableLength, 0);
    if (sum <= unreadInAll) return;
    for (const socket of unread.toSorted((a, b) => b.writableLength - a.writableLength)) {
      sum -= socket.writableLength;
      socket.destroy();
      if (sum <= unreadInAll) return;
    }
  };

  server.on('connection', (socket) => {
    const client = clientOfAddress(socket.remoteAddress ?? '');
    const idleSince = performance.now();
    const line: Line = { client, busy: false, waiting: [], stuckSince: 0, lookedAt: 0, idleSince };
    const leave = places.take(client, {
      giveUp: () => socket.destroy(),
      pace: () => (line.busy ? Infinity : line.idleSince),
    });
    if (leave === null) {
      socket.destroy();
      return;
    }
    lines.set(socket, line);
    // Node also resumes the socket by itself.
    socket.on('resume', () => isFull(line) && socket.pause());
    socket.once('close', () => {
      leave();
      waiting -= line.waiting.length;
      line.waiting = [];
      lines.delete(socket);
    });
  });

  const start = (line: Line, req: IncomingMessage, res: ServerResponse): void => {
    line.busy = true;
    if (begun < BEGIN_AT_ONCE) {
      begin(line, req, res);
      return;
    }
    const queue = ready.get(line.client) ?? [];
    queue.push([line, req, res]);
    ready.set(line.client, queue);
  };

  const begin = (line: Line, req: IncomingMessage, res: ServerResponse): void => {
    begun += 1;
    if (begun === 1) setImmediate(beginNext);
    cutLargest();
    endTinyChunks(req);
    // Node sets its own time after the answer, of an idle connection.
    req.socket.setTimeout(lookMs);
    // An answer that is not finished ends its connection.
    res.once('finish', () => {
      if (line.waiting.length > 0) {
        startNext(line);
        return;
      }
      line.busy = false;
      line.idleSince = performance.now();
    });
    handle(req, res);
  };

  const beginNext = (): void => {
    begun = 0;
    for (const [client, queue] of ready) {
      const next = queue.shift();
      ready.delete(client);
      if (queue.length > 0) ready.set(client, queue);
      if (next === undefined || next[1].socket.destroyed) continue;
      begin(...next);
      if (begun >= BEGIN_AT_ONCE) return;
    }
  };

  const startNext = (line: Line): void => {
    const wasFull = isFull(line);
    const [req, res] = line.waiting.shift() ?? [];
    if (req === undefined || res === undefined) return;
    waiting -= 1;
    if (req.socket.destroyed) return;
    if (wasFull && !isFull(line)) req.socket.resume();
    start(line, req, res);
  };

  server.on('timeout', (socket) => {
    const line = lines.get(socket);
    if (line?.busy !== true) {
      socket.destroy();
      return;
    }
    // Nothing waits to be read: the handler is at work, and the next write restarts the timer.
    if (socket.writableLength === 0) return;
    const now = performance.now();
    // Node reports nothing while bytes move, so then the last look was longer ago.
    if (now - line.lookedAt > 1.5 * lookMs) line.stuckSince = now - lookMs;
    line.lookedAt = now;
    if (now - line.stuckSince >= stuckMs) socket.destroy();
    else socket.setTimeout(lookMs);
  });

  return (req, res) => {
    const line = lines.get(req.socket);
    if (line === undefined) return;
    if (!line.busy) {
      start(line, req, res);
      return;
    }
    line.waiting.push([req, res]);
    waiting += 1;
    if (waiting > waitingInAll) req.socket.destroy();
    else if (isFull(line)) req.socket.pause();
  };
}

const isFull = ({ waiting }: Line): boolean => waiting.length >= UNANSWERED - 1;

/** Node's parser passes each chunk to `push`, before any reader of the body. */
function endTinyChunks(req: IncomingMessage): void {
  const push = req.push.bind(req);
  let chunks = 0;
  let bytes = 0;
  req.push = (chunk: Buffer | null, encoding) => {
    chunks += 1;
    bytes += chunk?.length ?? 0;
    if (chunk === null || chunks <= FREE_CHUNKS || bytes >= chunks * LEAST_MEAN_BYTES)
      return push(chunk, encoding);
    req.socket.destroy();
    return false;
  };
}
