import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Redis } from 'ioredis';
import { freePort } from './free-port.js';
import { durableArgs, placeArgs, startRedisServer } from './redis-server-process.js';
import type { RedisServers } from './redis-servers.js';

/** Needs escapes in a URL. */
const PASSWORD = 'p@ss/w:rd';

/** A server that speaks TLS only, wants a password, and shows a certificate that nobody signed but itself. */
export async function startTlsSandbox(): Promise<RedisServers> {
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-tls-'));
  const port = await freePort();
  const [key, certificate] = [join(directory, 'key.pem'), join(directory, 'certificate.pem')];
  await promisify(execFile)('openssl', [
    ...'req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost'.split(' '),
    '-addext',
    'subjectAltName=DNS:localhost,IP:127.0.0.1',
    '-keyout',
    key,
    '-out',
    certificate,
  ]);
  const place = [...placeArgs(0, directory), '--tls-port', String(port), '--tls-auth-clients', 'no'];
  const files = ['--tls-cert-file', certificate, '--tls-key-file', key, '--tls-ca-cert-file', certificate];
  const server = await startRedisServer('redis-server', [
    ...place,
    ...files,
    ...durableArgs,
    '--requirepass',
    PASSWORD,
  ]);
  const client = new Redis({
    port,
    host: '127.0.0.1',
    password: PASSWORD,
    tls: { ca: await readFile(certificate) },
    maxRetriesPerRequest: null,
  });
  client.on('error', () => undefined);
  await client.ping();
  return {
    env: {
      REDIS_URL: `rediss://:${encodeURIComponent(PASSWORD)}@localhost:${String(port)}`,
      NODE_EXTRA_CA_CERTS: certificate,
    },
    client,
    wipe: async () => void (await client.flushall()),
    close: async () => {
      client.disconnect();
      await server.kill();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
