import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
import {
  isUnnamed,
  type RedisConnection,
  type RedisNode,
  type RedisSettings,
} from '@holdfast/foundation/config';
import { withinMs } from '@holdfast/foundation/lifecycle';
import { redisFault } from '../redis/index.js';

/** Says why Redis does not serve: for health, and for `doctor`. */
export interface RedisOutage {
  /** `error`: what the connection met last. Takes `patienceMs` at most. */
  reason(error: unknown, patienceMs?: number): Promise<Reason & { place: string }>;
}

/** Why, to follow on the server's name, and what helps. */
interface Reason {
  why: string;
  fix: string;
}

const PATIENCE_MS = 300;
/** Callers share the look at the port for so long. */
const KNOWN_FOR_MS = 5_000;
const PORT_WITHIN_MS = 1_000;

export function createRedisOutage(settings: RedisSettings): RedisOutage {
  const { connection } = settings;
  let seen: { reason: Promise<Reason | null>; at: number } | undefined;
  const reasonAtPort = async (patienceMs: number): Promise<Reason | null> => {
    if (connection.kind !== 'single') return null;
    const now = performance.now();
    if (seen === undefined || now - seen.at > KNOWN_FOR_MS)
      seen = { reason: lookAtPort(connection.host, connection.port, connection.tls), at: now };
    return withinMs(patienceMs, seen.reason, null);
  };
  return {
    reason: async (error, patienceMs = PATIENCE_MS) => {
      const { why, fix } = (await reasonAtPort(patienceMs)) ?? redisFault(error);
      return {
        place: placeOf(connection),
        why,
        fix: isUnnamed(settings) ? `${fix} No Redis is named: set REDIS_URL.` : fix,
      };
    },
  };
}

/** Never with a login. */
export function placeOf(connection: RedisConnection): string {
  switch (connection.kind) {
    case 'single':
      return `Redis at ${addressOf(connection)}`;
    case 'socket':
      return 'Redis at its socket';
    case 'sentinel':
      return `Redis "${connection.masterName}" of the sentinels ${connection.sentinels.map(addressOf).join(', ')}`;
    case 'cluster':
      return `The Redis Cluster of ${connection.nodes.map(addressOf).join(', ')}`;
  }
}

function addressOf({ host, port }: RedisNode): string {
  return `${host.includes(':') ? `[${host}]` : host}:${String(port)}`;
}

/**
 * What listens at the port, where that says more than the error: another program, or a Redis with TLS that is expected to have none.
 * Never rejects.
 */
async function lookAtPort(host: string, port: number, tls: boolean): Promise<Reason | null> {
  const plain = await firstAnswer(host, port, false);
  if (isRedis(plain))
    return tls ? { why: 'it speaks without TLS', fix: 'Let the address begin with "redis:".' } : null;
  const isHttp = /^(?:HTTP\/|<!doctype|<html)/i.test(plain ?? '');
  if (!isHttp && isRedis(await firstAnswer(host, port, true)))
    return tls ? null : { why: 'it speaks TLS', fix: 'Let the address begin with "rediss:".' };
  if (plain === null) return null;
  return plain === ''
    ? {
        why: 'it ends each connection at once',
        fix: 'Look at the log of the Redis server: it may be full, or take no connections from here.',
      }
    : {
        why: `what listens there is not Redis: ${isHttp ? 'an HTTP server' : 'another program'} answers`,
        fix: 'Correct host and port.',
      };
}

/** A Redis that wants a login, or has no room, refuses the PING in its own form. */
function isRedis(answer: string | null): boolean {
  return /^(?:\+PONG|-[A-Z]+ )/.test(answer ?? '');
}

/** What comes first after a PING. Empty where the other side ends the connection, null where it does not take one or says nothing. */
function firstAnswer(host: string, port: number, encrypted: boolean): Promise<string | null> {
  return new Promise((resolve) => {
    let isConnected = false;
    const onConnect = (): void => {
      isConnected = true;
      socket.write('PING\r\n');
    };
    // The certificate is not checked: nothing but a PING is sent.
    const socket = encrypted
      ? connectTls({ host, port, rejectUnauthorized: false }, onConnect)
      : connect({ host, port }, onConnect);
    const finish = (answer: string | null): void => {
      resolve(answer);
      socket.destroy();
    };
    const onEnd = (): void => finish(isConnected ? '' : null);
    socket.setTimeout(PORT_WITHIN_MS, () => finish(null));
    socket.on('data', (data: Buffer) => finish(data.toString('latin1')));
    socket.on('error', onEnd);
    socket.on('close', onEnd);
  });
}
