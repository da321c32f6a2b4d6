import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';

/**
 * What listens at a port. plain, encrypted: a Redis, without or with TLS. silent: takes connections and does not answer. ends: closes
 * them without a word. none: no connection came about.
 */
export type PortAnswer = 'plain' | 'encrypted' | 'http' | 'other' | 'silent' | 'ends' | 'none';

const WITHIN_MS = 1_000;
const FIRST_BYTES = 32;

/** Asks in the clear first, as whoever mistakes a port for the other kind does not hear of it otherwise. Never rejects. */
export async function examinePort(host: string, port: number): Promise<PortAnswer> {
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
      WITHIN_MS,
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
