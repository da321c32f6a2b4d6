import type { Server } from 'node:http';
import type { Socket } from 'node:net';

/** One request as the emulator saw it. */
export interface LoggedRequest {
  /** Also sent as `X-Request-Id`. */
  id: string;
  /** Milliseconds since the epoch. */
  at: number;
  endpoint: string;
  method: string;
  publicId: string;
  /** 0 while it is being worked on, or when the connection was cut without an answer. */
  status: number;
  /** Kind of the fault that hit it. */
  fault: string | null;
}

/** Counters since the start or the last reset. */
export interface RequestCounters {
  total: number;
  byEndpoint: Record<string, number>;
  byStatus: Record<string, number>;
  /** Bytes read from all sockets, headers included. */
  bytesReceived: number;
  openSockets: number;
  /** Connections accepted. */
  connections: number;
  /** Requests that were neither answered nor cut yet. */
  inFlight: number;
  mostInFlight: number;
}

export interface RequestLog {
  begin(entry: { endpoint: string; method: string; at: number }): LoggedRequest;
  end(entry: LoggedRequest, status: number): void;
  counters(): RequestCounters;
  /** The last thousand, oldest first. */
  recent(): LoggedRequest[];
  reset(): void;
}

const KEPT = 1000;

/** Counts what reaches the server. */
export function requestLog(server: Server): RequestLog {
  const sockets = new Set<Socket>();
  let closedBytes = 0;
  let connections = 0;
  let recent: LoggedRequest[] = [];
  let total = 0;
  let begun = 0;
  let byEndpoint: Record<string, number> = {};
  let byStatus: Record<string, number> = {};
  let inFlight = 0;
  let mostInFlight = 0;
  let bytesAtReset = 0;

  const socketBytes = () => [...sockets].reduce((sum, socket) => sum + socket.bytesRead, closedBytes);

  server.on('connection', (socket) => {
    sockets.add(socket);
    connections += 1;
    socket.once('close', () => {
      sockets.delete(socket);
      closedBytes += socket.bytesRead;
    });
  });

  return {
    begin({ endpoint, method, at }) {
      begun += 1;
      const entry: LoggedRequest = {
        id: `emulated-${begun}`,
        at,
        endpoint,
        method,
        publicId: '',
        status: 0,
        fault: null,
      };
      total += 1;
      inFlight += 1;
      mostInFlight = Math.max(mostInFlight, inFlight);
      byEndpoint[endpoint] = (byEndpoint[endpoint] ?? 0) + 1;
      recent.push(entry);
      if (recent.length > 2 * KEPT) recent = recent.slice(-KEPT);
      return entry;
    },
    end(entry, status) {
      inFlight -= 1;
      entry.status = status;
      byStatus[status] = (byStatus[status] ?? 0) + 1;
    },
    counters: () => ({
      total,
      byEndpoint: { ...byEndpoint },
      byStatus: { ...byStatus },
      bytesReceived: socketBytes() - bytesAtReset,
      openSockets: sockets.size,
      connections,
      inFlight,
      mostInFlight,
    }),
    recent: () => recent.slice(-KEPT),
    reset() {
      bytesAtReset = socketBytes();
      connections = 0;
      recent = [];
      total = 0;
      byEndpoint = {};
      byStatus = {};
      mostInFlight = inFlight;
    },
  };
}
