import { startSentinelSandbox } from '@holdfast/shared/testing';
import { expect, it, vi } from 'vitest';
import { aPng } from './harness/client.js';
import { coreSuite } from './harness/core-suite.js';
import { failoverUnderUploads } from './harness/failover.js';

const running = coreSuite(startSentinelSandbox, { storageType: 'Redis Sentinel', level: 'replicated' });

it('S12: loses nothing when the master is killed under uploads', async () => {
  const { client } = running();
  const failover = await failoverUnderUploads(running());
  // Sentinel needs most of it: it waits for a second, and then votes.
  expect(failover.backAfterMs).toBeLessThan(15_000);
  const { client: redis } = running().deployment.redis;
  // The other replica follows the new master.
  await vi.waitFor(async () => expect(await redis.info('replication')).toMatch(/^slave0:.*state=online/m));
  const { body } = await client.upload(aPng(), {}, { Prefer: 'wait=20' });
  expect(body.media).toMatchObject({ status: 'verified', persistence: { level: 'replicated' } });
});
