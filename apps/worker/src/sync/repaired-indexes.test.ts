import { afterAll, beforeAll, expect, it } from 'vitest';
import type { ListQuery } from '@holdfast/shared/catalog';
import { HandBack } from '@holdfast/shared/jobs';
import { silentLogger } from '@holdfast/foundation/logging';
import { startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { openSyncRig, type SyncRig } from '../../test/support/sync-rig.js';
import { syncDependencies } from '../sync-run/sync-session.js';
import { createSyncHandler } from './run-sync.js';

let sandbox: RedisSandbox;
beforeAll(async () => {
  sandbox = await startRedisSandbox(['--appendonly', 'no']);
});
afterAll(() => sandbox.close());

/** Two that are there, and one that the host has lost. */
async function filled() {
  const rig = await openSyncRig(sandbox, 'local');
  const described = { tags: ['sea'], category: 'nature' };
  const kept = await rig.upload(described);
  await rig.upload({ resourceType: 'raw' });
  const lost = await rig.upload(described);
  await rig.sync();
  await rig.host.remove(lost);
  expect(await rig.sync()).toMatchObject({ missing: 1 });
  return { rig, kept, lost };
}

async function told({ catalog, recordOf }: SyncRig, kept: Awaited<ReturnType<SyncRig['upload']>>) {
  const { sha256 } = recordOf(kept).checksum;
  const list = async (filters: Partial<ListQuery>) => {
    const { items, total } = await catalog.list({ limit: 100, order: 'oldest', ...filters });
    return { ids: items.map(({ id }) => id), total };
  };
  return {
    counts: await catalog.counts(),
    all: await list({}),
    byTag: await list({ tag: 'sea' }),
    byCategory: await list({ category: 'nature' }),
    missing: await list({ status: 'missing' }),
    withBytes: sha256 === null ? null : await list({ sha256 }),
  };
}

it.each([
  ['the types', '{holdfast}:index:type:*'],
  ['the categories', '{holdfast}:index:category:*'],
  ['the tags', '{holdfast}:index:tag:*'],
  ['the checksums', '{holdfast}:index:sha256:*'],
  ['the statuses', '{holdfast}:index:status:*'],
])('a full sync rebuilds the index of %s that Redis lost, for all records', async (_name, pattern) => {
  const { rig, kept } = await filled();
  const before = await told(rig, kept);
  expect(before.counts).toMatchObject({ total: 3, byStatus: { missing: 1, verified: 2 } });
  const keys = await rig.redis.keys(pattern);
  await rig.redis.del(keys);
  expect(await told(rig, kept)).not.toEqual(before);

  await rig.sync({ dryRun: true });
  expect(await told(rig, kept)).not.toEqual(before);
  expect(await rig.sync()).toMatchObject({ result: 'ok', missing: 0, errors: 0 });
  expect(await told(rig, kept)).toEqual(before);
});

it('repairs nothing in a dry run', async () => {
  const rig = await openSyncRig(sandbox, 'local');
  await rig.upload({ category: 'nature' });
  await rig.sync();
  const index = rig.keys.byCategory('nature');
  await rig.redis.del(index);
  await rig.sync({ dryRun: true });
  expect(await rig.redis.zcard(index)).toBe(0);
  await rig.sync();
  expect(await rig.redis.zcard(index)).toBe(1);
});

it('a full sync marks missing also what its index had lost', async () => {
  const { rig, kept } = await filled();
  await rig.upload();
  await rig.sync();
  await rig.redis.del(rig.keys.byType('i'));
  await rig.host.remove(kept);
  await rig.sync();
  expect((await rig.find(kept))?.status).toBe('missing');
  expect((await rig.catalog.counts()).byStatus).toMatchObject({ missing: 2, verified: 2 });
});

it('counts no record that Redis lost and that the host does not have either', async () => {
  const { rig, lost } = await filled();
  await rig.redis.del(rig.keys.record(rig.recordOf(lost).id));
  expect((await rig.catalog.counts()).total).toBe(3);
  await rig.sync();
  expect(await rig.catalog.counts()).toMatchObject({ total: 2, byStatus: { missing: 0, verified: 2 } });
});

it('counts a record once that came back in another state than it was lost in', async () => {
  const { rig, kept } = await filled();
  const { id } = rig.recordOf(kept);
  const error = { code: 'DURABILITY_TOO_LOW', message: 'x' };
  await rig.catalog.noteFailure({ id, revision: 0, attempts: 3, final: true, error });
  await rig.redis.del(rig.keys.record(id));
  await rig.sync();
  expect((await rig.catalog.counts()).byStatus).toMatchObject({ failed: 0, missing: 1, verified: 2 });
});

it('stops with its worker, and is done by the run that continues', async () => {
  const stopping = new AbortController();
  let isListing = (): Promise<void> => Promise.resolve();
  const rig = await openSyncRig(sandbox, 'local', {
    seenBy: (host) => ({
      ...host,
      list: async (query) => {
        await isListing();
        return host.list(query);
      },
    }),
  });
  await rig.upload({ category: 'rare' });
  await rig.sync();
  await rig.redis.del(rig.keys.byCategory('rare'));
  isListing = () => {
    stopping.abort();
    return Promise.resolve();
  };
  const stopped = createSyncHandler(syncDependencies(rig.parts))(
    { trigger: 'manual', mode: 'full', dryRun: false, force: false },
    { signal: stopping.signal, attempt: 1, log: silentLogger },
  );
  await expect(stopped).rejects.toBeInstanceOf(HandBack);
  expect(await rig.sync()).toMatchObject({ result: 'ok' });
  expect((await rig.catalog.list({ limit: 10, order: 'newest', category: 'rare' })).items).toHaveLength(1);
});
