import { afterAll, beforeAll, expect, it } from 'vitest';
import type { MediaFilters } from '@holdfast/shared/catalog';
import { startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { openSyncRig, type SyncRig } from '../../test/support/sync-rig.js';

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
  const list = async (filters: MediaFilters) => {
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
  ['the types', '{holdfast}:i:t:*'],
  ['the categories', '{holdfast}:i:c:*'],
  ['the tags', '{holdfast}:i:g:*'],
  ['the checksums', '{holdfast}:i:h:*'],
  ['the statuses', '{holdfast}:i:s:*'],
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
