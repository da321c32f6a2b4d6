import { startClusterSandbox, startSentinelSandbox } from '@holdfast/shared/testing';
import { describe, expect, it } from 'vitest';
import { coreSuite } from './harness/core-suite.js';
import { failoverUnderUploads } from './harness/failover.js';

/** Servers that speak nothing but TLS, also among each other. */
describe.each([
  ['Redis Sentinel', startSentinelSandbox],
  ['Redis Cluster', startClusterSandbox],
])('on %s over TLS', (storageType, startServers) => {
  const running = coreSuite(() => startServers({ encrypted: true }), { storageType, level: 'replicated' });

  it('S12: loses nothing when the master is killed under uploads', async () => {
    const failover = await failoverUnderUploads(running());
    expect(failover.backAfterMs).toBeLessThan(15_000);
  });
});
