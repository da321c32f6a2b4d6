import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { aPng } from './harness/client.js';
import { deploymentOf } from './harness/deployment.js';

const example = fileURLToPath(new URL('../examples/upload.mjs', import.meta.url));
const SECRET = 'secret-of-the-example';

/** In front of the API: the first request is lost after it was sent, the second refused with `Retry-After`. */
async function startFlawedProxy(api: string, keys: unknown[]): Promise<Server> {
  const server = createServer((req, res) => {
    if (req.method === 'POST') keys.push(req.headers['idempotency-key']);
    if (req.method === 'POST' && keys.length === 2) {
      req.resume();
      res.writeHead(503, { 'Retry-After': '1' }).end('{}');
      return;
    }
    const forward = request(
      `${api}${req.url ?? ''}`,
      { method: req.method, headers: req.headers },
      (answer) => {
        if (req.method === 'POST' && keys.length === 1) {
          answer.resume().once('end', () => req.socket.destroy());
          return;
        }
        res.writeHead(answer.statusCode ?? 0, answer.headers);
        answer.pipe(res);
      },
    );
    forward.on('error', () => req.socket.destroy());
    req.pipe(forward);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

it('the example uploads one file, however often it has to send it, and waits until it is verified', async (context) => {
  const deployment = await deploymentOf(context, 'local', { API_KEYS: `web:write:${SECRET}` });
  const [{ client }] = await Promise.all([deployment.startApi(), deployment.startWorker()]);
  const keys: unknown[] = [];
  const proxy = await startFlawedProxy(client.url, keys);
  context.onTestFinished(() => void proxy.close());
  const file = join(deployment.env['DATA_DIR'] ?? '', 'photo.png');
  await writeFile(file, aPng());
  const { stdout } = await promisify(execFile)(process.execPath, [example, file, 'First photo'], {
    env: {
      PATH: process.env['PATH'],
      HOLDFAST_URL: `http://127.0.0.1:${String((proxy.address() as AddressInfo).port)}`,
      HOLDFAST_KEY: SECRET,
    },
  });
  expect(keys).toHaveLength(3);
  expect(new Set(keys).size).toBe(1);
  const { body } = await client.call<{ items: { id: string; status: string; title: string; url: string }[] }>(
    '/api/media',
    { headers: { Authorization: `Bearer ${SECRET}` } },
  );
  expect(body.items).toMatchObject([{ status: 'verified', title: 'First photo' }]);
  expect(stdout).toBe(`verified: ${body.items[0]?.id ?? ''} ${body.items[0]?.url ?? ''}\n`);
});
