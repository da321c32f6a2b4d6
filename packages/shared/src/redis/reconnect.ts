import { Cluster, type Redis } from 'ioredis';
import { createBackoff, type Backoff } from '@holdfast/foundation/lifecycle';
import { redisErrorKind, redisRefusal } from './redis-error.js';
import { onRefusedGreeting } from './tame-ioredis.js';

const AWAY_LONGEST_MS = 1_000;

/** While nothing answers: a restarted server is found within about a second. */
export const reconnectDelay = (tries: number): number =>
  Math.min(50 * 2 ** Math.min(tries, 10), AWAY_LONGEST_MS) + Math.floor(Math.random() * 50);

const lastErrors = new WeakMap<Redis | Cluster, Error>();

/** What kept this connection from Redis at its last try; undefined while it is there. Commands only say that it is not. */
export function connectionError(client: Redis | Cluster): Error | undefined {
  return lastErrors.get(client);
}

/**
 * Makes a client reconnect soon to a server that is away, and ever more rarely to one that answers and refuses it: by its plan, by
 * the number of connections, or with this login. `onError` receives each new reason.
 */
export function reconnectPatiently(client: Redis | Cluster, onError: (error: Error) => void): void {
  const backoff = createBackoff();
  let readyAt = -Infinity;
  let fleeting = 0;
  const note = (reported: Error): void => {
    const error = reported.cause instanceof Error ? reported.cause : reported;
    if (saysLess(error, lastErrors.get(client))) return;
    lastErrors.set(client, error);
    onError(error);
  };
  const delay = (tries: number, error: unknown): number => {
    if (redisRefusal(error) !== null || redisErrorKind(error) === 'credentials') return backoff.nextMs();
    // A connection that is lost as soon as it is there would be opened again without end.
    if (tries === 1) fleeting = performance.now() - readyAt < AWAY_LONGEST_MS ? fleeting + 1 : 0;
    return fleeting > 1 ? AWAY_LONGEST_MS : reconnectDelay(tries);
  };

  client.on('error', note);
  client.on('ready', () => {
    readyAt = performance.now();
    lastErrors.delete(client);
    backoff.reset();
  });
  if (client instanceof Cluster) {
    client.options.clusterRetryStrategy = (tries, reason) =>
      delay(tries, (reason as { lastNodeError?: Error } | undefined)?.lastNodeError);
  } else {
    client.options.retryStrategy = (tries) => delay(tries, lastErrors.get(client));
    // Talking to a demoted master: reconnect (through Sentinel where there is one), and send again where commands may wait
    // for that. Where they may not, the caller hears what the server said, not that nobody answered.
    client.options.reconnectOnError = (error) => {
      if (redisErrorKind(error) !== 'demoted') return false;
      lastErrors.set(client, error);
      return client.options.enableOfflineQueue === false ? 1 : 2;
    };
    onRefusedGreeting(client, note);
  }
}

/** For a loop that asks this connection: once it is there again the loop goes on at once. */
export function redisBackoff(client: Redis | Cluster): Backoff {
  const backoff = createBackoff();
  client.on('ready', () => backoff.reset());
  return backoff;
}

/** Errors after a connection was given up do not say why; nor does its end, where the server has said why before. */
function saysLess(error: Error, last: Error | undefined): boolean {
  if (last === undefined) return false;
  if (error.message.startsWith("Stream isn't writeable")) return true;
  return (
    redisErrorKind(last) !== 'unreachable' && /^(?:read E|write E|Connection is closed)/.test(error.message)
  );
}

interface Reconnectable {
  status: string;
  disconnect(reconnect: boolean): void;
}

/**
 * Opens the connection again; commands in flight fail or are sent again, as its role says. A client that is already connecting is
 * left alone: interrupting a search for the master would end an ioredis client for good.
 */
export function reconnectRedis(client: Reconnectable): void {
  if (client.status === 'ready' || client.status === 'connect') client.disconnect(true);
}
