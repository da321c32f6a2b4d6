import type { Cluster } from 'ioredis';
import { expect, it, onTestFinished, vi } from 'vitest';
import { readSettings } from '../config/index.js';
import { silentLogger } from '../logging/index.js';
import { freePort, startRedisSandbox } from '../testing/index.js';
import { connectRedis } from './index.js';

/** A cluster that has not all of its slots says that its state is `fail`, as one does that has lost a master. */
async function startFailedCluster() {
  const place = ['--cluster-port', String(await freePort()), '--cluster-announce-ip', '127.0.0.1'];
  const server = await startRedisSandbox(['--cluster-enabled', 'yes', ...place]);
  onTestFinished(() => server.close());
  await server.client.call('CLUSTER', 'ADDSLOTSRANGE', 0, 10_000);
  return { server, complete: () => server.client.call('CLUSTER', 'ADDSLOTSRANGE', 10_001, 16_383) };
}

it('answers whoever connects a client while the cluster has failed, and is ready once it has not', async () => {
  const { server, complete } = await startFailedCluster();
  const { redis } = readSettings({ REDIS_CLUSTER_NODES: `127.0.0.1:${String(server.port)}` });
  const client = connectRedis(redis.connection, 'queue', silentLogger) as Cluster;
  onTestFinished(() => client.disconnect());
  const made = client.duplicate();
  onTestFinished(() => made.disconnect());
  const once = (one: Cluster, event: string) => new Promise((resolve) => one.once(event, resolve));
  await Promise.all([once(client, 'reconnecting'), once(made, 'reconnecting')]);
  for (const one of [client, made]) {
    const ended = once(one, 'end');
    one.disconnect();
    await ended;
    await expect(one.connect()).rejects.toThrow('Connection is closed');
  }
  await complete();
  for (const one of [client, made]) await vi.waitFor(() => expect(one.status).toBe('ready'));
});
