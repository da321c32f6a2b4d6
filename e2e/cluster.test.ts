import { startClusterSandbox } from '@holdfast/shared/testing';
import { expect, it, vi } from 'vitest';
import { aPng, type ApiClient } from './harness/client.js';
import { coreSuite } from './harness/core-suite.js';
import { failoverUnderUploads } from './harness/failover.js';

const running = coreSuite(startClusterSandbox, { storageType: 'Redis Cluster', level: 'replicated' });

const levelOfAnUpload = async (client: ApiClient): Promise<string | null> =>
  (await client.upload(aPng(), {}, { Prefer: 'wait=20' })).body.media.persistence.level;

it('S12: loses nothing when our master is killed under uploads', async () => {
  const { client, deployment } = running();
  const failover = await failoverUnderUploads(running());
  expect(failover.backAfterMs).toBeLessThan(15_000);
  // Its only replica is the master now.
  expect(await levelOfAnUpload(client)).toBe('fsynced');
  // Its worker waits for a delayed job, and the failover has cut it off in the middle of that.
  expect((await client.sync('incremental')).status).toBe(200);
  await deployment.redis.reviveKilled();
  await vi.waitFor(async () => expect(await levelOfAnUpload(client)).toBe('replicated'), { interval: 500 });
});
