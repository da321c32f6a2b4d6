import { randomBytes } from 'node:crypto';
import { expect, it, vi } from 'vitest';
import type { ResourceType } from '../../media/index.js';
import { onePixelPng } from '../../testing/index.js';
import type { HostAsset } from '../media-host.js';
import { asListed, neverAborted, newRef, putRequest, type SetUpHost } from './put-request.js';

export function listing(setup: SetUpHost): void {
  it('lists every asset of a type once, oldest first, while more are added', async () => {
    const { host } = await setup();
    const before: string[] = [];
    for (let index = 0; index < 25; index += 1) {
      const { asset } = await host.put(putRequest());
      before.push(asset.publicId);
      // Ids of one millisecond have no order among them.
      const made = Date.now();
      await vi.waitUntil(() => Date.now() > made, { interval: 1 });
    }
    await host.put(putRequest({ ref: newRef('raw', '.bin') }));
    const listed: HostAsset[] = [];
    let lacking: string[] = [];
    let cursor: string | null = null;
    do {
      const page = await host.list({ resourceType: 'image', cursor, limit: 4, signal: neverAborted });
      expect(page.assets.length).toBeLessThanOrEqual(4);
      listed.push(...page.assets);
      ({ lacking } = page);
      cursor = page.nextCursor;
      if (listed.length < 12) await host.put(putRequest());
    } while (cursor !== null);
    const ids = listed.map((asset) => asset.publicId);
    expect(ids.slice(0, 25)).toEqual(before);
    expect(new Set(ids).size).toBe(ids.length);
    const first = await host.find({ publicId: before[0] ?? '', resourceType: 'image' });
    expect(listed[0]).toEqual(asListed(withoutHash(first, lacking)));
  });

  it('gives an empty page where there is nothing', async () => {
    const { host } = await setup();
    const signal = neverAborted;
    const empty = { assets: [], unreadable: [], lacking: [], nextCursor: null };
    expect(await host.list({ resourceType: 'video', cursor: null, limit: 500, signal })).toEqual(empty);
    expect(await host.changes({ since: new Date(0), cursor: null, limit: 500, signal })).toEqual(empty);
  });

  it('reports uploads of all types and edits as changes', async () => {
    const { host } = await setup();
    const assets: HostAsset[] = [];
    for (const type of ['image', 'raw', 'video', 'image', 'raw'] as const)
      assets.push(
        (await host.put(putRequest({ ref: newRef(type, type === 'raw' ? '.bin' : ''), body: bodyOf(type) })))
          .asset,
      );
    const [first] = assets;
    const changes: HostAsset[] = [];
    // The same for each page: a cursor is good for one question only.
    const since = new Date(Date.now() - 60_000);
    let cursor: string | null = null;
    do {
      const page = await host.changes({ since, cursor, limit: 2, signal: neverAborted });
      changes.push(...page.assets);
      cursor = page.nextCursor;
    } while (cursor !== null);
    expect(changes.map((asset) => asset.assetId).toSorted()).toEqual(
      assets.map((asset) => asset.assetId).toSorted(),
    );
    // Whole seconds: what came before is no longer recent once two of them have passed.
    const editedAfter = new Date(Date.now() + 2_000);
    await vi.waitUntil(() => Date.now() > editedAfter.getTime(), { timeout: 5_000 });
    await host.annotate(first ?? newRef(), { context: { hf: '1', title: 'edited' }, tags: [] });
    const page = await host.changes({ since: editedAfter, cursor: null, limit: 10, signal: neverAborted });
    expect(page.assets.map(({ assetId, context }) => [assetId, context['title']])).toEqual([
      [first?.assetId, 'edited'],
    ]);
  });

  it('confirms those assets that exist', async () => {
    const { host } = await setup();
    const { asset } = await host.put(putRequest());
    const raw = await host.put(putRequest({ ref: newRef('raw', '.bin') }));
    const gone = await host.put(putRequest());
    await host.remove(gone.asset);
    const ids = [asset.assetId, 'f'.repeat(32), gone.asset.assetId, raw.asset.assetId];
    const { assets: confirmed, lacking } = await host.confirm(ids);
    expect(confirmed.map(({ assetId }) => assetId).toSorted()).toEqual(
      [asset.assetId, raw.asset.assetId].toSorted(),
    );
    expect(confirmed.find(({ assetId }) => assetId === asset.assetId)).toEqual(
      asListed(withoutHash(asset, lacking)),
    );
    expect(await host.confirm([])).toEqual({ assets: [], unreadable: [], lacking: [] });
  });

  it('says that a cursor that it did not give is spent', async () => {
    const { host } = await setup();
    await host.put(putRequest());
    await expect(
      host.list({ resourceType: 'image', cursor: 'not a cursor', limit: 10, signal: neverAborted }),
    ).rejects.toMatchObject({ code: 'HOST_CURSOR_SPENT' });
  });
}

/** As a listing shows it that does not tell hashes, and says so. */
function withoutHash(asset: HostAsset | null, lacking: readonly string[]): HostAsset | null {
  return asset !== null && lacking.includes('etag') ? { ...asset, etag: null } : asset;
}

function bodyOf(type: ResourceType): Buffer {
  return type === 'video' ? Buffer.concat([Buffer.from('ID3'), randomBytes(1_000)]) : onePixelPng;
}
