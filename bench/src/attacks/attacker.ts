import { connect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { onePixelPng } from '@holdfast/shared/testing';

const BOUNDARY = 'holdfast-attack-boundary';

/** The first bytes of a form with one file; the rest of the file may come at any pace, or never. */
export const formHead = Buffer.concat([
  Buffer.from(
    `--${BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\nContent-Type: image/png\r\n\r\n`,
  ),
  onePixelPng,
]);
export const formTail = Buffer.from(`\r\n--${BOUNDARY}--\r\n`);
export const textPart = (name: string, bytes: number): Buffer =>
  Buffer.concat([
    Buffer.from(`--${BOUNDARY}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n`),
    Buffer.alloc(bytes, 'a'),
    Buffer.from('\r\n'),
  ]);

/** One client that plays no fair game: raw connections to one API, with one key or none. */
export interface Attacker {
  /** Answers so far, by status. */
  readonly answers: Record<string, number>;
  /** A connection whose answers are counted, or never read. */
  open(reads?: 'reads' | 'never reads'): Promise<Socket>;
  get(path: string, headers?: Record<string, string>): string;
  /** The head of an upload; without `bytes` its body comes in chunks. */
  uploadHead(bytes: number | null, headers?: Record<string, string>): string;
  /** Sends so many requests at once, reads their answers, and does so again and again. */
  pipelineForever(requests: string, count: number): Promise<void>;
  /** Sends one request after the other on so many connections, each as the answer before it comes. */
  askWithoutPause(request: string, connections: number): Promise<void>;
  /** Asks for one path after the other on so many connections, without a pause. */
  askForever(paths: readonly string[], connections: number): Promise<void>;
  json(path: string): Promise<unknown>;
}

export function createAttacker(port: number, secret: string | null): Attacker {
  const answers: Record<string, number> = {};
  const url = `http://127.0.0.1:${String(port)}`;
  const keyHeader: Record<string, string> = secret === null ? {} : { 'X-API-Key': secret };
  const head = (method: string, path: string, headers: Record<string, string>): string => {
    const lines = Object.entries({ Host: 'localhost', ...keyHeader, ...headers });
    return `${method} ${path} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`;
  };

  const open: Attacker['open'] = async (reads = 'reads') => {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    if (reads === 'never reads') socket.pause();
    else
      socket.on('data', (chunk: Buffer) => {
        for (const [, status = ''] of chunk.toString('latin1').matchAll(/HTTP\/1\.1 (\d{3})/g))
          answers[status] = (answers[status] ?? 0) + 1;
      });
    await new Promise<void>((resolve) => {
      socket.once('connect', () => resolve());
      socket.once('close', () => resolve());
    });
    return socket;
  };

  return {
    answers,
    open,
    get: (path, headers = {}) => head('GET', path, headers),
    uploadHead: (bytes, headers = {}) =>
      head('POST', '/api/media/upload', {
        'Content-Type': `multipart/form-data; boundary=${BOUNDARY}`,
        ...(bytes === null ? { 'Transfer-Encoding': 'chunked' } : { 'Content-Length': String(bytes) }),
        ...headers,
      }),
    pipelineForever: async (requests, count) => {
      const total = (): number => Object.values(answers).reduce((sum, more) => sum + more, 0);
      for (;;) {
        const before = total();
        const socket = await open();
        socket.write(requests);
        while (!socket.destroyed && total() - before < count) await pause(10);
        socket.destroy();
      }
    },
    askWithoutPause: async (request, connections) => {
      const lane = async (): Promise<void> => {
        for (;;) {
          const socket = await open();
          socket.on('data', (chunk: Buffer) => {
            for (const _ of chunk.toString('latin1').matchAll(/HTTP\/1\.1 \d{3}/g)) socket.write(request);
          });
          socket.write(request);
          await new Promise((resolve) => void socket.once('close', resolve));
        }
      };
      await Promise.all(Array.from({ length: connections }, lane));
    },
    askForever: async (paths, connections) => {
      const ask = async (first: number): Promise<void> => {
        for (let n = first; ; n += 1) {
          const answer = await fetch(`${url}${paths[n % paths.length] ?? ''}`, { headers: keyHeader });
          await answer.arrayBuffer();
          answers[answer.status] = (answers[answer.status] ?? 0) + 1;
          if (answer.status >= 400) await pause(5);
        }
      };
      await Promise.all(Array.from({ length: connections }, (_, first) => ask(first)));
    },
    json: async (path) => (await fetch(`${url}${path}`, { headers: keyHeader })).json(),
  };
}
