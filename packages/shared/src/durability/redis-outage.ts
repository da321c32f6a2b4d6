import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
import {
  isUnnamed,
  type RedisConnection,
  type RedisNode,
  type RedisSettings,
} from '@holdfast/foundation/config';
import { withinMs } from '@holdfast/foundation/lifecycle';
import { certificateFault, redisErrorKind } from '../redis/index.js';
import type { Finding } from './server-findings.js';

const PORT_WITHIN_MS = 1_000;
const FIRST_BYTES = 32;

/** Says why Redis does not serve: for health, and for `doctor`. */
export interface RedisOutage {
  /** REDIS_UNREACHABLE: which server, why, and what helps. `error`: what the connection met last. Takes 0.3 s at most. */
  explain(error: unknown): Promise<Finding>;
  /** Why, to follow on the server's name, and the fix. */
  reason(error: unknown, patienceMs?: number): Promise<Reason>;
}

/** Those who ask share what was seen for so long. */
const KNOWN_FOR_MS = 5_000;
const PATIENCE_MS = 300;

interface Reason {
  why: string;
  fix: string;
}

/** By the code of the error, or by its first words. The first that fits. */
const byError: readonly (readonly [pattern: RegExp, why: string, fix: string])[] = [
  [/^(?:ENOTFOUND|EAI_)/, 'its name cannot be resolved', 'Correct the host in REDIS_URL, or the DNS.'],
  [/^ECONNREFUSED/, 'nothing listens there', 'Start Redis, or correct host and port.'],
  [/^ENOENT/, 'its socket is not there', 'Start Redis, or correct the path of the socket.'],
  [
    /^(?:EHOST|ENET|ETIMEDOUT)/,
    'no connection comes about',
    'Look for a firewall or a network in between, and whether this address may connect.',
  ],
  [
    /^(?:WRONGPASS|NOAUTH|ERR (?:Client sent AUTH|AUTH))/,
    'it refuses the login',
    'Correct the user and the password.',
  ],
  [
    /^(?:NOPERM|ERR ACL)/,
    'its user has no right to a command, or to our keys',
    'Give the user the rights in docs/operations.md.',
  ],
  [/cluster support disabled/, 'it is no node of a cluster', 'Set REDIS_URL instead of REDIS_CLUSTER_NODES.'],
  [
    /unknown command [`'"]?sentinel/i,
    'a Redis answers there, and no Sentinel',
    'Name the Sentinels (their usual port is 26379) in REDIS_SENTINELS, or set REDIS_URL to this server.',
  ],
  [
    /DB index is out of range/,
    'it has no database of this number',
    'Correct the number at the end of REDIS_URL.',
  ],
];

const OTHER_PROGRAM = 'Correct host and port.';
const unanswering: Reason = {
  why: 'it does not answer in time',
  fix: 'Look at the Redis server and at the network.',
};

/** What listens there says more than the error where the two kinds of port are mixed up, or another program answers. */
function byAnswer(answer: PortAnswer | null, tls: boolean): Reason | null {
  switch (answer) {
    case 'http':
      return { why: 'what listens there is not Redis: an HTTP server answers', fix: OTHER_PROGRAM };
    case 'other':
      return { why: 'what listens there is not Redis: another program answers', fix: OTHER_PROGRAM };
    case 'encrypted':
      return tls ? null : { why: 'it speaks TLS', fix: 'Let the address begin with "rediss:".' };
    case 'plain':
      return tls ? { why: 'it speaks without TLS', fix: 'Let the address begin with "redis:".' } : null;
    case 'ends':
      return {
        why: 'it ends each connection at once',
        fix: 'Look at the log of the Redis server: it may be full, or take no connections from here.',
      };
    case 'silent':
    case 'none':
    case null:
      return null;
  }
}

export function createRedisOutage(settings: RedisSettings): RedisOutage {
  const { connection } = settings;
  const place = placeOf(connection);
  let seen: { answer: Promise<PortAnswer>; at: number } | undefined;
  const answerOfPort = async (patienceMs: number): Promise<PortAnswer | null> => {
    if (connection.kind !== 'single') return null;
    const now = performance.now();
    if (seen === undefined || now - seen.at > KNOWN_FOR_MS)
      seen = { answer: examinePort(connection.host, connection.port), at: now };
    return withinMs(patienceMs, seen.answer, null);
  };
  const reason = async (error: unknown, patienceMs = PATIENCE_MS): Promise<Reason> => {
    const answer = await answerOfPort(patienceMs);
    const tls = connection.kind === 'single' && connection.tls;
    const { why, fix } = byAnswer(answer, tls) ?? reasonOf(error) ?? unanswering;
    return { why, fix: isUnnamed(settings) ? `${fix} No Redis is named: set REDIS_URL.` : fix };
  };
  return {
    reason,
    explain: async (error) => {
      const { why, fix } = await reason(error);
      return {
        code: 'REDIS_UNREACHABLE',
        severity: 'error',
        message: `${place} does not serve: ${why}. Uploads are refused.`,
        fix,
      };
    },
  };
}

function reasonOf(error: unknown): Reason | null {
  if (!(error instanceof Error)) return null;
  const fault = certificateFault(error);
  if (fault !== null) return fault;
  const { code } = error as { code?: unknown };
  const said = [...(typeof code === 'string' ? [code] : []), error.message];
  const known = byError.find(([pattern]) => said.some((text) => pattern.test(text)));
  if (known !== undefined) return { why: known[1], fix: known[2] };
  return redisErrorKind(error) === 'unreachable'
    ? null
    : {
        why: 'it answers in an unexpected way',
        fix: 'Look at the warnings redis.connection_error in the log.',
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
 * What listens at a port. plain, encrypted: a Redis, without or with TLS. silent: takes connections and does not answer. ends: closes
 * them without an answer. none: no connection.
 */
type PortAnswer = 'plain' | 'encrypted' | 'http' | 'other' | 'silent' | 'ends' | 'none';

/** Asks in the clear first: the answer shows a port that was mistaken for the other kind. Never rejects. */
async function examinePort(host: string, port: number): Promise<PortAnswer> {
  const plain = await firstAnswer(host, port, false);
  if (plain === 'plain' || plain === 'http' || plain === 'none') return plain;
  const encrypted = await firstAnswer(host, port, true);
  return encrypted === 'plain' ? 'encrypted' : plain;
}

/** What comes first after a PING. Of a Redis `plain`, whichever way it was asked. */
function firstAnswer(host: string, port: number, encrypted: boolean): Promise<PortAnswer> {
  return new Promise((resolve) => {
    let connected = false;
    let received = '';
    const onConnect = (): void => {
      connected = true;
      socket.write('PING\r\n');
    };
    // The certificate is not judged here: nothing but a PING is sent.
    const socket = encrypted
      ? connectTls({ host, port, rejectUnauthorized: false }, onConnect)
      : connect({ host, port }, onConnect);
    const finish = (answer: PortAnswer): void => {
      clearTimeout(timer);
      resolve(answer);
      socket.destroy();
    };
    const ended = (): void => finish(received === '' ? (connected ? 'ends' : 'none') : judge(received));
    const timer = setTimeout(
      () => finish(received === '' ? (connected ? 'silent' : 'none') : judge(received)),
      PORT_WITHIN_MS,
    );
    socket.on('data', (data: Buffer) => {
      received += data.toString('latin1');
      if (received.includes('\n') || received.length >= FIRST_BYTES) finish(judge(received));
    });
    socket.on('error', ended);
    socket.on('close', ended);
  });
}

function judge(received: string): PortAnswer {
  // A Redis that wants a login, or has no room, refuses the PING in its own form.
  if (/^(?:\+PONG|-[A-Z]+ )/.test(received)) return 'plain';
  return /^(?:HTTP\/|<!doctype|<html)/i.test(received) ? 'http' : 'other';
}
