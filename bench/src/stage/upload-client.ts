import { randomBytes } from 'node:crypto';
import { Agent, request } from 'node:http';
import { Readable } from 'node:stream';
import { onePixelPng } from '@holdfast/shared/testing';

const BOUNDARY = 'holdfast-bench-boundary';
const HEAD = Buffer.concat([
  Buffer.from(
    `--${BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\nContent-Type: image/png\r\n\r\n`,
  ),
  onePixelPng,
]);
const TAIL = Buffer.from(`\r\n--${BOUNDARY}--\r\n`);
const CHUNK = randomBytes(64 * 1024);

/** One client: a connection that is kept alive, and one upload at a time. */
export interface UploadClient {
  /** Uploads a file that was never uploaded before; resolves with the answer's JSON, rejects unless it is 2xx. */
  upload(): Promise<unknown>;
  close(): void;
}

/** The body is built once, and only stamped for each upload: the client must cost as little as it can. */
export function uploadClient(
  address: string,
  fileBytes: number,
  headers: Readonly<Record<string, string>> = {},
): UploadClient {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const content = randomBytes(fileBytes - onePixelPng.length);
  const body = Buffer.concat([HEAD, content, TAIL]);
  const stampAt = body.length - TAIL.length - 8;
  let count = 0;
  return {
    upload: () => {
      count += 1;
      body.writeDoubleLE(count, stampAt);
      return send(address, agent, body.length, (sink) => sink.end(body), headers);
    },
    close: () => agent.destroy(),
  };
}

/** Uploads one large file, produced as fast as the server takes it, without holding it in memory. */
export async function uploadLarge(address: string, fileBytes: number): Promise<void> {
  const agent = new Agent({ keepAlive: false });
  const rest = fileBytes - onePixelPng.length;
  function* parts() {
    yield HEAD;
    for (let left = rest; left > 0; left -= CHUNK.length)
      yield CHUNK.subarray(0, Math.min(left, CHUNK.length));
    yield TAIL;
  }
  const total = HEAD.length + rest + TAIL.length;
  await send(address, agent, total, (sink) => void Readable.from(parts(), { objectMode: false }).pipe(sink));
  agent.destroy();
}

function send(
  address: string,
  agent: Agent,
  length: number,
  write: (sink: ReturnType<typeof request>) => void,
  headers: Readonly<Record<string, string>> = {},
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const sink = request(
      address,
      {
        method: 'POST',
        agent,
        headers: {
          ...headers,
          'Content-Type': `multipart/form-data; boundary=${BOUNDARY}`,
          'Content-Length': length,
        },
      },
      (answer) => {
        let text = '';
        answer.setEncoding('utf8');
        answer.on('data', (piece: string) => (text += piece));
        answer.on('error', reject);
        answer.on('end', () => {
          const status = answer.statusCode ?? 0;
          if (status >= 200 && status < 300) resolve(JSON.parse(text));
          else reject(new Error(`upload answered ${String(status)}: ${text.slice(0, 300)}`));
        });
      },
    );
    sink.on('error', reject);
    write(sink);
  });
}
