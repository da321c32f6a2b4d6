import { expect, it, vi } from 'vitest';
import { silentLogger } from '@holdfast/foundation/logging';
import type { MediaHost } from '../media-host.js';
import { emulatedHost } from '../testing/emulated-host.js';
import { asListed, newRef, putRequest } from '../testing/put-request.js';
import { createRateBudget } from './connection.js';
import { readPage } from './replies.js';

const signal = new AbortController().signal;
const firstPage = (host: MediaHost) => host.list({ resourceType: 'image', cursor: null, limit: 500, signal });

it('tells the budget of the last answer, and counts only metered calls', async () => {
  const { host } = await emulatedHost({ rateLimitPerHour: 500 });
  expect(host.budget()).toBeNull();
  await host.put(putRequest());
  await host.find(newRef());
  expect(host.meteredCalls()).toBe(0);
  await firstPage(host);
  await host.changes({ since: new Date(0), cursor: null, limit: 500, signal });
  await host.confirm(['a'.repeat(32)]);
  expect(host.meteredCalls()).toBe(3);
  expect(host.budget()).toMatchObject({ limit: 500, remaining: 497 });
  expect(Date.parse(host.budget()?.resetAt ?? '')).toBeGreaterThan(Date.now());
});

it('says how long to wait once the budget is spent', async () => {
  const { host } = await emulatedHost({ rateLimitPerHour: 1 });
  await firstPage(host);
  const error: unknown = await firstPage(host).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: 'HOST_RATE_LIMITED' });
  const { retryAfterSeconds } = error as { retryAfterSeconds: number };
  expect(retryAfterSeconds).toBeGreaterThan(0);
  expect(retryAfterSeconds).toBeLessThanOrEqual(3_600);
  expect(host.budget()).toMatchObject({ limit: 1, remaining: 0 });
  expect(host.health().reachable).toBe(true);
});

it.each([
  ['the time in the refusal', 'Rate Limit Exceeded. Try again on 1970-01-01 00:02:00 UTC', 120],
  ['a minute where nothing is known', 'Rate Limit Exceeded', 60],
])('waits for %s', (_case, message, seconds) => {
  expect(createRateBudget(() => 0).retryAfter(message)).toBe(seconds);
});

it('waits for the last reset it saw where the refusal names no time', () => {
  const budget = createRateBudget(() => 0);
  budget.seen({ limit: 5, remaining: 1, resetAt: new Date(90_000) });
  expect(budget.retryAfter('slow down')).toBe(90);
});

it('waits a minute, and keeps the budget, where plenty is left and the refusal names no time', () => {
  const budget = createRateBudget(() => 0);
  budget.seen({ limit: 500, remaining: 400, resetAt: new Date(3_000_000) });
  expect(budget.retryAfter('Too many requests')).toBe(60);
  expect(budget.current()?.remaining).toBe(400);
  expect(budget.retryAfter('Try again on 1970-01-01 00:02:00 UTC')).toBe(120);
  expect(budget.current()?.remaining).toBe(0);
});

it('does not hang on a silent host, and leaves no socket', async () => {
  const { host, emulator } = await emulatedHost({}, { timeouts: { callMs: 200, pageMs: 200 } });
  await emulator.faults.add({ kind: 'silence', ms: 30_000, count: null });
  const calls = [firstPage(host), host.find(newRef()), host.remove(newRef()), host.confirm(['a'])];
  for (const call of calls) await expect(call).rejects.toMatchObject({ code: 'HOST_TIMEOUT' });
  await vi.waitFor(async () => expect((await emulator.requests.counters()).openSockets).toBe(0));
});

it('recycles the sockets of error answers that the SDK does not read', async () => {
  const { host, emulator } = await emulatedHost();
  await emulator.faults.add({ kind: 'html', status: 503, count: null });
  for (let index = 0; index < 10; index += 1) {
    await expect(firstPage(host)).rejects.toMatchObject({ code: 'HOST_REJECTED' });
    await expect(host.find(newRef())).rejects.toMatchObject({ code: 'HOST_REJECTED' });
  }
  await vi.waitFor(async () => expect((await emulator.requests.counters()).openSockets).toBe(0));
});

it('keeps the connection of a look-up that finds nothing', async () => {
  const { host, emulator } = await emulatedHost();
  for (let index = 0; index < 5; index += 1) expect(await host.find(newRef())).toBeNull();
  expect((await emulator.requests.counters()).connections).toBe(1);
});

it('ends a call at once when it is aborted', async () => {
  const { host, emulator } = await emulatedHost();
  await emulator.faults.add({ kind: 'silence', ms: 30_000, count: null });
  const control = new AbortController();
  const call = host.find(newRef(), control.signal);
  await vi.waitFor(async () => expect((await emulator.requests.counters()).inFlight).toBe(1));
  control.abort(new Error('enough'));
  await expect(call).rejects.toThrow('enough');
  await vi.waitFor(async () => expect((await emulator.requests.counters()).openSockets).toBe(0));
});

it('still reports uploads where search does not know the time of edits', async () => {
  const { host } = await emulatedHost({ searchKnowsLastUpdated: false });
  const { asset } = await host.put(putRequest());
  const page = await host.changes({ since: new Date(Date.now() - 60_000), cursor: null, limit: 10, signal });
  expect(page.assets).toEqual([asListed(asset)]);
});

it('removes again when the first try failed', async () => {
  const { host, emulator } = await emulatedHost();
  const { asset } = await host.put(putRequest());
  await emulator.faults.add({ kind: 'error', match: { endpoint: 'destroy' } });
  await expect(host.remove(asset)).rejects.toMatchObject({ code: 'HOST_REJECTED' });
  expect(await host.remove(asset)).toBe('removed');
});

it('skips assets that exist only as a backup', () => {
  const asset = {
    asset_id: 'a',
    public_id: 'p',
    resource_type: 'image',
    version: 1,
    created_at: '2026-01-01T00:00:00Z',
    bytes: 1,
    secure_url: 'https://res.example.com/p.png',
  };
  const { page } = readPage({ resources: [{ ...asset, placeholder: true }, asset], next_cursor: 'next' });
  expect(page.assets.map(({ assetId }) => assetId)).toEqual(['a']);
  expect(page.nextCursor).toBe('next');
});

it('finds no asset that exists only as a backup', async () => {
  const { host, emulator } = await emulatedHost();
  const { asset } = await host.put(putRequest());
  const backup = {
    asset_id: asset.assetId,
    public_id: asset.publicId,
    resource_type: asset.resourceType,
    version: asset.version,
    created_at: asset.createdAt,
    bytes: 0,
    secure_url: asset.url,
  };
  const match = { endpoint: 'explicit' };
  await emulator.faults.add({ kind: 'garbage', body: JSON.stringify(backup), count: null, match });
  expect(await host.find(asset)).toBeNull();
  await expect(host.annotate(asset, asset)).rejects.toMatchObject({ code: 'MEDIA_NOT_FOUND' });
  expect(host.health().reachable).toBe(true);
});

it('follows the clock of the host, not its own', async () => {
  const hourAgo = () => Date.now() - 3_600_000;
  const { host } = await emulatedHost({}, { now: hourAgo });
  expect(host.hostNow()).toBeLessThan(Date.now() - 3_000_000);
  await host.find(newRef());
  expect(host.hostNow()).toBeGreaterThan(Date.now() - 3_000);
  expect(host.hostNow()).toBeLessThanOrEqual(Date.now());
});

it.each(['Invalid value asset_id for parameter fields', 'Unsupported attribute requested', 'Bad Request'])(
  'lists without hashes where the host refuses what we ask for with "%s", says so once and asks anew in the next listing',
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
    expect(events).toEqual(['host.listing_fields_missing', 'host.fields_refused']);
  },
);

it('takes a refusal of a page after the first for none of the fields, and goes on without them where the first was refused', async () => {
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

it('goes on listing hashes where only the question for asset ids refuses the fields', async () => {
  const { host, emulator } = await emulatedHost();
  const { asset } = await host.put(putRequest());
  await emulator.faults.add({ kind: 'error', status: 400, match: { endpoint: 'list-by-asset-ids' } });
  for (const calls of [2, 3]) {
    expect((await host.confirm([asset.assetId])).assets).toHaveLength(1);
    expect(host.meteredCalls()).toBe(calls);
  }
  expect((await firstPage(host)).assets).toEqual([asListed(asset)]);
});

it('takes no other refusal of a listing for one of the fields', async () => {
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
  ['is no page', { kind: 'garbage', body: '{"fine":true}' }],
] as const)('takes an answer that %s for a failure of the host', async (_case, fault) => {
  const { host, emulator } = await emulatedHost();
  const { asset } = await host.put(putRequest());
  await emulator.faults.add({ ...fault, count: 2 });
  await expect(firstPage(host)).rejects.toMatchObject({ code: 'HOST_REJECTED' });
  await expect(host.find(asset)).rejects.toMatchObject({ code: 'HOST_REJECTED' });
  expect(host.health().reachable).toBe(false);
  expect((await firstPage(host)).assets).toEqual([asListed(asset)]);
});

it('takes any refusal of a page after the first for a spent cursor, whatever the host calls it', async () => {
  const { host, emulator } = await emulatedHost();
  await emulator.faults.add({ kind: 'error', status: 400, message: 'Bad request', count: null });
  const list = (cursor: string | null) => host.list({ resourceType: 'image', cursor, limit: 1, signal });
  const changes = (cursor: string | null) => host.changes({ since: new Date(0), cursor, limit: 1, signal });
  for (const page of [list, changes]) {
    await expect(page('old')).rejects.toMatchObject({ code: 'HOST_CURSOR_SPENT' });
    await expect(page(null)).rejects.toMatchObject({ code: 'HOST_REJECTED' });
  }
});
