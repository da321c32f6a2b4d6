import { expect, it } from 'vitest';
import { silentLogger } from '@holdfast/foundation/logging';
import type { MediaHost } from '../media-host.js';
import { emulatedHost } from '../testing/emulated-host.js';
import { asListed, putRequest } from '../testing/put-request.js';

const signal = new AbortController().signal;
const firstPage = (host: MediaHost) => host.list({ resourceType: 'image', cursor: null, limit: 500, signal });

it('still reports uploads where search does not know the time of edits', async () => {
  const { host } = await emulatedHost({ searchKnowsLastUpdated: false });
  const { asset } = await host.put(putRequest());
  const page = await host.changes({ since: new Date(Date.now() - 60_000), cursor: null, limit: 10, signal });
  expect(page.assets).toEqual([asListed(asset)]);
});

it.each(['Invalid value asset_id for parameter fields', 'Unsupported attribute requested', 'Bad Request'])(
  'lists without hashes where the host refuses what we ask for with "%s", says so, and asks again in the next listing',
  async (message) => {
    const events: string[] = [];
    const log = { ...silentLogger, warn: (event: string) => void events.push(event) };
    const { host, emulator } = await emulatedHost({}, { log });
    const { asset } = await host.put(putRequest());
    const other = await host.put(putRequest());
    for (const calls of [2, 4]) {
      await emulator.faults.add({ kind: 'error', status: 400, message, match: { endpoint: 'list' } });
      const page = await firstPage(host);
      expect(page.assets).toEqual([asset, other.asset].map((one) => ({ ...asListed(one), etag: null })));
      expect(page.lacking).toEqual(['uploaded_at', 'etag']);
      expect(host.meteredCalls()).toBe(calls);
    }
    expect((await firstPage(host)).assets).toEqual([asset, other.asset].map(asListed));
    expect(events).toEqual(['host.fields_refused', 'host.fields_refused']);
  },
);

it('does not blame the fields for a refusal after the first page, and continues without them if the first was refused', async () => {
  const { host, emulator } = await emulatedHost();
  for (let put = 0; put < 4; put++) await host.put(putRequest());
  const refusal = { kind: 'error', status: 400, match: { endpoint: 'list' } } as const;
  const page = (cursor: string | null) => host.list({ resourceType: 'image', cursor, limit: 2, signal });
  const { nextCursor } = await page(null);
  await emulator.faults.add(refusal);
  await expect(page(nextCursor)).rejects.toMatchObject({ code: 'HOST_CURSOR_SPENT' });
  expect((await page(nextCursor)).lacking).toEqual([]);
  await emulator.faults.add(refusal);
  await page(null);
  expect((await page(nextCursor)).lacking).toEqual(['uploaded_at', 'etag']);
});

it('keeps listing hashes where only the look-up by asset ids refuses the fields', async () => {
  const { host, emulator } = await emulatedHost();
  const { asset } = await host.put(putRequest());
  await emulator.faults.add({ kind: 'error', status: 400, match: { endpoint: 'list-by-asset-ids' } });
  for (const calls of [2, 3]) {
    expect((await host.confirm([asset.assetId])).assets).toHaveLength(1);
    expect(host.meteredCalls()).toBe(calls);
  }
  expect((await firstPage(host)).assets).toEqual([asListed(asset)]);
});

it('does not mistake other refusals of a listing for one of the fields', async () => {
  const { host, emulator } = await emulatedHost();
  await host.put(putRequest());
  await emulator.faults.add({ kind: 'error', status: 400, count: 2, match: { endpoint: 'list' } });
  await expect(firstPage(host)).rejects.toMatchObject({ code: 'HOST_REJECTED' });
  expect((await firstPage(host)).lacking).toEqual([]);
});

it.each([
  ['is cut', { kind: 'cut-response' }],
  ['is garbage', { kind: 'garbage' }],
  ['is lost', { kind: 'drop-after-success' }],
  ['is not a page', { kind: 'garbage', body: '{"fine":true}' }],
] as const)('takes an answer that %s for a failure of the host', async (_case, fault) => {
  const { host, emulator } = await emulatedHost();
  const { asset } = await host.put(putRequest());
  await emulator.faults.add({ ...fault, count: 2 });
  await expect(firstPage(host)).rejects.toMatchObject({ code: 'HOST_REJECTED' });
  await expect(host.find(asset)).rejects.toMatchObject({ code: 'HOST_REJECTED' });
  expect(host.health().reachable).toBe(false);
  expect((await firstPage(host)).assets).toEqual([asListed(asset)]);
});

it('treats any refusal of a page after the first as a spent cursor, whatever the host calls it', async () => {
  const { host, emulator } = await emulatedHost();
  await emulator.faults.add({ kind: 'error', status: 400, message: 'Bad request', count: null });
  const list = (cursor: string | null) => host.list({ resourceType: 'image', cursor, limit: 1, signal });
  const changes = (cursor: string | null) => host.changes({ since: new Date(0), cursor, limit: 1, signal });
  for (const page of [list, changes]) {
    await expect(page('old')).rejects.toMatchObject({ code: 'HOST_CURSOR_SPENT' });
    await expect(page(null)).rejects.toMatchObject({ code: 'HOST_REJECTED' });
  }
});
