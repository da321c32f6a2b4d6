import { afterAll, beforeAll, expect, it } from 'vitest';
import { silentLogger } from '@holdfast/foundation/logging';
import { createCatalogHost } from '@holdfast/shared/catalog-host';
import { startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { openSyncRig } from '../../test/support/sync-rig.js';
import { createHostChanges } from './recovery.js';

let sandbox: RedisSandbox;
beforeAll(async () => {
  sandbox = await startRedisSandbox();
});
afterAll(() => sandbox.close());

it('says that a worker uses another host than the catalog, until it does not', async () => {
  const rig = await openSyncRig(sandbox, 'local');
  await rig.upload();
  await rig.sync();
  const catalogHost = createCatalogHost(rig.redis, rig.keys);
  const worker = createHostChanges({
    catalogHost,
    catalog: rig.catalog,
    syncState: rig.state,
    dataDir: rig.settings.dataDir,
    identity: 'cloudinary:demo',
    log: silentLogger,
  });
  await worker.look(false);
  expect(worker.isChanged()).toBe(true);
  expect(await catalogHost.readBoth()).toEqual({ host: 'local', other: 'cloudinary:demo' });
  // It ends by itself with the worker, and is said again at each look.
  expect(await rig.redis.ttl(rig.keys.otherHost)).toBeGreaterThan(60);
  await rig.redis.del(rig.keys.otherHost);
  await worker.look(false);
  expect((await catalogHost.readBoth()).other).toBe('cloudinary:demo');

  await catalogHost.set('cloudinary:demo');
  await rig.redis.del(rig.keys.otherHost);
  await worker.look(false);
  expect(worker.isChanged()).toBe(false);
  expect((await catalogHost.readBoth()).other).toBeNull();

  // Emptied: the folder still has the file.
  await rig.redis.flushall();
  await worker.look(true);
  expect(worker.isChanged()).toBe(true);
});
