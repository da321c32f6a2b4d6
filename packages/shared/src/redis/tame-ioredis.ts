import type { Duplex } from 'node:stream';
import {
  AbstractConnector,
  Cluster,
  SentinelConnector as LibrarySentinelConnector,
  type Redis,
  type SentinelConnectionOptions,
} from 'ioredis';
import { redisRefusal } from './redis-error.js';

/** What clients of ioredis keep to themselves. */
interface Inside {
  /** Set while the client waits for its next try to connect. */
  reconnectTimeout?: NodeJS.Timeout | null;
  /** What a lost connection did not answer, to be sent again on the next one. */
  prevCommandQueue?: { shift(): { command: { reject(error: Error): void } } | undefined } | null;
  /** Of a Cluster: ends a client that was disconnected. */
  handleCloseEvent?(): void;
  /** Called with every error that the server replies. */
  handleReconnection?(error: Error, item: unknown): void;
}

/**
 * Everything that we change in the clients of ioredis, so that they end, connect and report as the rest of the code expects. Each
 * patch says what ioredis does without it. Clients made of this one are given the same, and `also`.
 */
export function tame<Client extends Redis | Cluster>(client: Client, also: (client: Client) => void): Client {
  if (client instanceof Cluster) {
    settleConnect(client);
    nameCause(client);
  }
  endCompletely(client);
  insistOnDatabase(client);
  answerInfo(client);
  also(client);
  const duplicate = client.duplicate.bind(client) as (...args: unknown[]) => Client;
  client.duplicate = ((...args: unknown[]) => tame(duplicate(...args), also)) as Client['duplicate'];
  return client;
}

/**
 * ioredis only forgets a try that it waits for: no `end` follows, since no socket is left whose close could tell. And what the
 * last connection did not answer is never answered, if the next one ends before it was ready. BullMQ's close of a worker waits
 * for both.
 */
function endCompletely(client: Redis | Cluster): void {
  const inside = client as unknown as Inside;
  const disconnect = client.disconnect.bind(client);
  client.disconnect = (reconnect = false) => {
    const waits = !reconnect && (inside.reconnectTimeout ?? null) !== null;
    // A Cluster that is disconnected while it looks up its nodes is the same: it has no connection yet.
    const looksUp =
      client instanceof Cluster && client.status === 'connecting' && client.nodes().length === 0;
    disconnect(reconnect);
    if (!waits && !looksUp) return;
    if (inside.handleCloseEvent !== undefined) {
      inside.handleCloseEvent();
      return;
    }
    // What was never connected is ended at once.
    client.status = 'wait';
    disconnect();
  };
  client.on('end', () => {
    const unanswered = inside.prevCommandQueue;
    for (let item = unanswered?.shift(); item !== undefined; item = unanswered?.shift())
      item.command.reject(new Error('Connection is closed.'));
  });
}

/**
 * ioredis reports that SELECT was refused (no such database, no right to it) and continues in database 0, which may be somebody
 * else's. Here the connection is given up, and opened again as after any loss.
 */
function insistOnDatabase(client: Redis | Cluster): void {
  client.on('error', (error: Error & { command?: { name?: string } }) => {
    if (error.command?.name === 'select') client.disconnect(true);
  });
}

/** What the probes of the server have shown: without ZMSCORE there is no start (server-probes.ts). */
const AT_LEAST = 'redis_version:6.2.0\r\n';
/**
 * Answers INFO in the server's place where it refuses it. ioredis takes no connection into use before INFO was answered, and BullMQ
 * never works on one whose first INFO failed; both learn what they need by themselves. What we ask of the server goes by `call`,
 * and is refused.
 */
function answerInfo(client: Redis | Cluster): void {
  const info = client.info.bind(client) as (...args: unknown[]) => Promise<string>;
  client.info = (...args: unknown[]) => {
    const tell = typeof args.at(-1) === 'function' ? (args.pop() as InfoCallback) : undefined;
    const answer = info(...args).catch((error: Error) => {
      // For good, not for a moment. A login that is not accepted is another matter.
      if (redisRefusal(error) === 'command' || error.message.startsWith('NOPERM')) return AT_LEAST;
      throw error;
    });
    if (tell !== undefined) answer.then((text) => tell(null, text), tell);
    return answer;
  };
}

type InfoCallback = (error: Error | null, text?: string) => void;

/**
 * Has connect() settle when the connection closes before it is ready. ioredis forgets the promise of a try that met a
 * cluster without a master (`cluster_state:fail`, as in each failover) and begins the next one by itself; BullMQ waits for
 * that promise without a limit, and its worker would never take a job again.
 */
function settleConnect(cluster: Cluster): void {
  const connect = cluster.connect.bind(cluster);
  cluster.connect = async () => {
    let onClose = (): void => undefined;
    const closed = new Promise<never>((_, reject) => {
      // After ioredis, which says more where it does reject.
      onClose = () => void setImmediate(() => reject(new Error('Connection is closed.')));
    });
    cluster.once('close', onClose);
    try {
      await Promise.race([connect(), closed]);
    } finally {
      cluster.off('close', onClose);
    }
  };
}

/**
 * Gives the error of a Cluster client that found no node its cause. ioredis asks the nodes over connections whose errors it
 * drops, and reports only that they were closed: a refused certificate would look like a server that is away.
 */
function nameCause(cluster: Cluster): void {
  let met: Error | undefined;
  cluster.on('+node', (node: Redis) => {
    const duplicate = node.duplicate.bind(node);
    node.duplicate = (...args) =>
      duplicate(...args).on('error', (error: Error) => {
        met = error;
      });
  });
  cluster.on('error', (error: Error & { lastNodeError?: Error }) => {
    const last = error.lastNodeError;
    const isSilent = last === undefined || last.message === 'Connection is closed.';
    error.cause ??= isSilent ? met : last;
  });
  cluster.on('ready', () => {
    met = undefined;
  });
}

const streams = new WeakMap<object, Duplex>();

/**
 * Listens to every error of every socket of ioredis, those to Sentinels and nodes of a Cluster included. ioredis listens to the
 * first one only, and TLS may report two: that the certificate is refused, then what is wrong with bytes that came after it.
 * The second one would end the process.
 */
Object.defineProperty(AbstractConnector.prototype, 'stream', {
  get(this: object) {
    return streams.get(this);
  },
  set(this: object, stream: Duplex) {
    streams.set(this, stream);
    stream.on('error', () => undefined);
  },
});

/** A server that has no room for a connection says so to the greeting and ends it. ioredis then reports the end alone. */
export function onRefusedGreeting(client: Redis, note: (error: Error) => void): void {
  const inside = client as unknown as Inside;
  const handle = inside.handleReconnection?.bind(client);
  inside.handleReconnection = (error, item) => {
    if (client.status !== 'ready' && redisRefusal(error) !== null) note(error);
    handle?.(error, item);
  };
}

/**
 * Finds the master through the sentinels, and begins each search with nothing left of the connection before. ioredis
 * keeps that one's failover detector: when that one reports the new master in the middle of the search, it ends the search, and with it
 * the client for good. Where no sentinel could be asked, the error has as its cause what a connection to one met last, such
 * as a refused certificate: ioredis only says that it was closed.
 */
export class SentinelConnector extends LibrarySentinelConnector {
  private met: Error | undefined;

  constructor(options: unknown) {
    // ioredis hands a connector the options of its client.
    super(options as SentinelConnectionOptions);
    const inside = this as unknown as { connectToSentinel(...args: unknown[]): Redis };
    const connectToSentinel = inside.connectToSentinel.bind(this);
    // What listens for a failover has no listener for its errors: ioredis would print each of them, in no format of ours.
    inside.connectToSentinel = (...args) =>
      connectToSentinel(...args).on('error', (error: Error) => {
        this.met = error;
      });
  }

  override connect(
    emit: Parameters<LibrarySentinelConnector['connect']>[0],
  ): ReturnType<LibrarySentinelConnector['connect']> {
    this.disconnect();
    this.met = undefined;
    return super.connect((type, error) => {
      if (type === 'error') error.cause = this.met;
      emit(type, error);
    });
  }
}
