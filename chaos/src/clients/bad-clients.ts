import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import type { History, UploadOperation } from '../history.js';
import type { Random } from '@holdfast/shared/testing';
import { pngBody, sha256Of } from './body.js';

const BOUNDARY = 'chaos-boundary';
const ANSWER_WITHIN_MS = 20_000;
const CONNECT_WITHIN_MS = 30_000;
/** More than what follows the file: some of the file itself must be missing. */
const UNSENT_AT_LEAST = 100;

/** Clients that do what they must not. None of them may ever find its file kept. */
export interface BadClients {
  vanish(random: Random): Promise<string | null>;
  crawl(random: Random): Promise<string | null>;
  lieAboutLength(random: Random): Promise<string | null>;
  wrongDigest(random: Random): Promise<string | null>;
  twoFiles(random: Random): Promise<string | null>;
}

interface Misdeed {
  name: string;
  /** Around the file: header lines, parts before the end, how much of the request is sent. */
  headers?: readonly string[];
  second?: boolean;
  lengthOff?: number;
  sendOnly?: (total: number) => number;
  crawlMs?: number;
}

export function badClients(history: History, apis: readonly string[]): BadClients {
  let count = 0;

  const misbehave = async (random: Random, misdeed: Misdeed): Promise<string | null> => {
    count += 1;
    const label = `bad ${String(count)} ${String(random.whole(0, 0xffff_ffff))}`;
    const data = pngBody(label, random.pick([3_000, 400_000]));
    const operation = history.begin<UploadOperation>({
      kind: 'upload',
      client: misdeed.name,
      sha256: sha256Of(data),
      bytes: data.length,
      id: null,
      deferred: false,
      fields: { title: '', description: '', category: '', tags: [], filename: 'bad.png' },
    });
    const answer = await send(random.pick(apis), requestOf(data, misdeed), misdeed);
    if (answer.startsWith('HTTP/1.1 403'))
      throw new Error(`${misdeed.name} was turned away at the door: ${answer}`);
    // Whatever the answer was, an incomplete or lying request is no upload.
    const accepted = /^HTTP\/1.1 20[0-2] /.test(answer);
    history.end(operation, accepted ? 'info' : 'fail', accepted ? `${misdeed.name} was accepted` : answer);
    return `${misdeed.name}: ${answer === '' ? 'no answer' : answer}`;
  };

  return {
    vanish: (random) =>
      misbehave(random, { name: 'vanish', sendOnly: (total) => random.whole(1, total - UNSENT_AT_LEAST) }),
    crawl: (random) =>
      misbehave(random, {
        name: 'crawl',
        sendOnly: (total) => random.whole(Math.floor(total / 2), total - UNSENT_AT_LEAST),
        crawlMs: random.whole(2_000, 8_000),
      }),
    lieAboutLength: (random) => misbehave(random, { name: 'lie', lengthOff: random.pick([-100, 100]) }),
    wrongDigest: (random) =>
      misbehave(random, {
        name: 'wrong digest',
        headers: [`Repr-Digest: sha-256=:${Buffer.alloc(32, 7).toString('base64')}:`],
      }),
    twoFiles: (random) => misbehave(random, { name: 'two files', second: true }),
  };
}

function requestOf(data: Buffer, { headers = [], second = false, lengthOff = 0 }: Misdeed): Buffer {
  const part = (content: Buffer): Buffer =>
    Buffer.concat([
      Buffer.from(
        `--${BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="bad.png"\r\nContent-Type: image/png\r\n\r\n`,
      ),
      content,
      Buffer.from('\r\n'),
    ]);
  const parts = second ? [part(data), part(pngBody('second', 900))] : [part(data)];
  const body = Buffer.concat([...parts, Buffer.from(`--${BOUNDARY}--\r\n`)]);
  const head = [
    'POST /api/media/upload HTTP/1.1',
    // A name that a keyless API on a loopback address answers.
    'Host: localhost',
    `Content-Type: multipart/form-data; boundary=${BOUNDARY}`,
    `Content-Length: ${String(body.length + lengthOff)}`,
    'Connection: close',
    ...headers,
  ];
  return Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), body]);
}

/** A connection as soon as the API takes one: it may just have been killed. Rejects where it does not within a while. */
async function open(api: string): Promise<Socket> {
  const { hostname, port } = new URL(api);
  for (const begun = performance.now(); ;) {
    const socket = connect(Number(port), hostname);
    try {
      await once(socket, 'connect');
      return socket;
    } catch (error) {
      if (performance.now() - begun > CONNECT_WITHIN_MS) throw error;
      await pause(100);
    }
  }
}

/** Sends it over a socket of its own; the first line of the answer, or nothing. */
async function send(api: string, request: Buffer, { sendOnly, crawlMs = 0 }: Misdeed): Promise<string> {
  const socket = await open(api);
  let answer = '';
  socket.on('error', () => undefined);
  socket.on('data', (chunk: Buffer) => (answer += chunk.toString('latin1')));
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  try {
    const total = sendOnly?.(request.length) ?? request.length;
    const steps = crawlMs === 0 ? 1 : 20;
    for (let step = 0; step < steps && !socket.destroyed; step += 1) {
      socket.write(
        request.subarray(Math.floor((total * step) / steps), Math.floor((total * (step + 1)) / steps)),
      );
      if (crawlMs > 0) await pause(crawlMs / steps);
    }
    // One that sends less than all of it goes away at once; the others wait to be answered.
    if (sendOnly === undefined) await Promise.race([closed, pause(ANSWER_WITHIN_MS)]);
    else await pause(20);
  } finally {
    socket.resetAndDestroy();
  }
  return answer.split('\r\n')[0] ?? '';
}
