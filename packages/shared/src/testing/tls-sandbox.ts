import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { freePort } from './free-port.js';
import { durableArgs, placeArgs, startRedisServer } from './redis-server-process.js';
import type { RedisServers } from './redis-servers.js';
import { makeTlsFiles, tlsArgs, type TlsFaults } from './tls-certificate.js';

/** Needs escapes in a URL. */
const PASSWORD = 'p@ss/w:rd';

/** A server that speaks TLS only, wants a password, and shows a certificate of an authority that only this test knows. */
export async function startTlsSandbox(faults: TlsFaults = {}): Promise<RedisServers> {
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-tls-'));
  const port = await freePort();
  const tls = await makeTlsFiles(directory, faults);
  const place = [...placeArgs(port, directory), ...tlsArgs(port, tls)];
  const server = await startRedisServer('redis-server', [
    ...place,
    ...durableArgs,
    '--requirepass',
    PASSWORD,
  ]);
  const client = new Redis({
    port,
    host: '127.0.0.1',
    password: PASSWORD,
    // The test's own looks must not fail with the certificate.
    tls: { rejectUnauthorized: false },
    maxRetriesPerRequest: null,
  });
  client.on('error', () => undefined);
  await client.ping();
  return {
    env: {
      REDIS_URL: `rediss://:${encodeURIComponent(PASSWORD)}@localhost:${String(port)}`,
      REDIS_TLS_CA: tls.ca,
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
