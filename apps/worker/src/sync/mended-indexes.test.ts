import { once } from 'node:events';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { MediaFilters } from '@holdfast/shared/catalog';
import { HandBack } from '@holdfast/shared/jobs';
import { silentLogger, type Logger } from '@holdfast/shared/logging';
import { startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { openSyncRig, type SyncRig } from '../../test/support/sync-rig.js';
import { syncDependencies } from '../sync-run/sync-dependencies.js';
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

it('a full sync writes the entries of checksums anew that an earlier version left in a form of its own', async () => {
  const rig = await openSyncRig(sandbox, 'local');
  const assets = [await rig.upload(), await rig.upload({ resourceType: 'raw' })];
  await rig.sync();
  // Nothing but these entries may tell that something is to be mended.
  expect((await rig.catalog.counts()).byStatus).toMatchObject({ verified: 2 });
  const found = () => Promise.all(assets.map(async (asset) => (await told(rig, asset)).withBytes));
  const before = await found();
  for (const key of await rig.redis.keys('{holdfast}:i:h:*')) {
    const ids = await rig.redis.zrange(key, '0', '-1');
    await rig.redis.del(key);
    for (const id of ids) await rig.redis.zadd(key, '0', `qqqqqqqqqqqq:${id}`);
  }
  expect(await found()).not.toEqual(before);
  expect(await rig.sync()).toMatchObject({ result: 'ok', errors: 0 });
  expect(await found()).toEqual(before);
});

it('mends nothing in a dry run, of what a page shows either', async () => {
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

it.each(['before', 'after'])(
  'ends at once where its worker is stopped while it mends, %s its listing has ended, and another one goes on with all of it',
  async (when) => {
    let hidden = '';
    const stopping = new AbortController();
    let isListing = (): Promise<void> => Promise.resolve();
    const rig = await openSyncRig(sandbox, 'local', {
      seenBy: (host) => ({
        ...host,
        list: async (query) => {
          await isListing();
          const page = await host.list(query);
          return { ...page, assets: page.assets.filter(({ assetId }) => assetId !== hidden) };
        },
      }),
    });
    const unlisted = await rig.upload({ category: 'rare' });
    const gone = await rig.upload();
    await rig.sync();
    await rig.host.remove(gone);
    await rig.sync();
    hidden = unlisted.assetId;
    // Only a walk finds that the first of these is gone, and only a look at all records the second.
    await rig.redis.del(rig.keys.byStatus('m'));
    await rig.redis.del(rig.keys.byCategory('rare'));

    if (when === 'before')
      isListing = async () => {
        if (!stopping.signal.aborted) await once(stopping.signal, 'abort');
      };
    const log: Logger = {
      ...silentLogger,
      child: () => log,
      warn: (event) => {
        if (event === 'sync.indexes_mended') stopping.abort();
      },
    };
    const stopped = createSyncHandler(syncDependencies(rig.parts))(
      { trigger: 'manual', mode: 'full', dryRun: false, force: false },
      { signal: stopping.signal, attempt: 1, log },
    );
    await expect(stopped).rejects.toBeInstanceOf(HandBack);
    const inRare = async () =>
      (await rig.catalog.list({ limit: 10, order: 'newest', category: 'rare' })).total;
    expect(await inRare()).toBe(0);
    expect(await rig.sync()).toMatchObject({ result: 'ok' });
    expect(await inRare()).toBe(1);
    await expect(rig.catalog.mendStatuses(AbortSignal.abort(new Error('stopped')))).rejects.toThrow(
      'stopped',
    );
  },
);
