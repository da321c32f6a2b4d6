import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RefreshPayload } from '@holdfast/shared/jobs';
import type { HostAsset } from '@holdfast/shared/media-host';
import { startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { editHere, openRefreshRig } from '../../test/support/refresh-rig.js';
import { lasting } from '../../test/support/sync-rig.js';

let sandbox: RedisSandbox;
beforeAll(async () => {
  sandbox = await startRedisSandbox();
});
afterAll(() => sandbox.close());

describe('notifications in any order', () => {
  it.each([1, 2, 3, 4])(
    'end where a full sync ends, also when they come twice (shuffle %i)',
    async (seed) => {
      const rig = await openRefreshRig(sandbox);
      const stays = await rig.foreign('a/stays');
      const edited = await rig.upload({ title: 'Before' });
      const renamed = await rig.foreign('a/old');
      const goes = await rig.foreign('a/goes');
      await rig.sync();
      const own = await rig.find(edited);
      if (own !== null) await editHere(rig, own, 'Here');
      const created = await rig.foreign('a/new');
      await rig.cloud.assets.edit(stays.assetId, { tags: ['one'] });
      await rig.cloud.assets.edit(stays.assetId, { tags: ['two'] });
      await rig.cloud.assets.rename(renamed.assetId, 'a/middle');
      await rig.cloud.assets.rename(renamed.assetId, 'a/last');
      await rig.cloud.assets.remove(goes.assetId);

      const events: [RefreshPayload['change'], HostAsset][] = [
        ['uploaded', created],
        ['uploaded', goes],
        ['changed', stays],
        ['changed', stays],
        ['changed', edited],
        ['changed', { ...renamed, publicId: 'a/middle' }],
        ['changed', { ...renamed, publicId: 'a/last' }],
        ['deleted', goes],
      ];
      for (const [change, asset] of shuffle([...events, ...events], seed)) await rig.refresh(change, asset);
      const after = new Map((await rig.records()).map((record) => [record.id, record]));
      expect(
        Object.fromEntries([...after.values()].map(({ publicId, status }) => [publicId, status])),
      ).toEqual({
        'a/goes': 'missing',
        'a/last': 'verified',
        'a/new': 'verified',
        'a/stays': 'verified',
        [edited.publicId]: 'verified',
      });
      expect(after.size).toBe(5);
      const run = await rig.sync();
      expect(run).toMatchObject({ created: 0, updated: 0, missing: 0, errors: 0 });
      for (const record of await rig.records())
        expect(lasting(record)).toEqual(lasting(after.get(record.id) ?? null));
    },
  );
});

function shuffle<T>(items: readonly T[], seed: number): T[] {
  const rank = (index: number): number => (index * 7_919 * seed + seed * 104_729) % 1_009;
  return items
    .map((item, index) => ({ item, at: rank(index + 1) }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ item }) => item);
}
