import { expect, test } from 'vitest';
import { eventually } from '../testing/eventually.js';
import { png } from '../testing/png.js';
import { failure, type Sdk } from '../testing/sdk-for.js';
import { setup } from '../testing/setup.js';
import type { Fault } from './fault.js';

const big = Buffer.alloc(3_000_000, 1);
const upload = (sdk: Sdk, options: object = {}) =>
  sdk.upload(big, { resource_type: 'raw', public_id: 'x', ...options });

/** What a client sees of a fault in an upload, and whether the asset exists afterwards. */
test.each<[Fault, RegExp, boolean]>([
  [{ kind: 'silence', ms: 60_000 }, /Request Timeout/, false],
  [{ kind: 'silence', ms: 60_000, readBody: true }, /Request Timeout/, false],
  [{ kind: 'silence', ms: 60_000, effect: 'done' }, /Request Timeout/, true],
  [{ kind: 'silence', ms: 30 }, /socket hang up|ECONNRESET|EPIPE/, false],
  [{ kind: 'early-error' }, /Invalid image file|EPIPE|ECONNRESET/, false],
  [{ kind: 'reset-body', afterBytes: 0 }, /socket hang up|ECONNRESET|EPIPE/, false],
  [{ kind: 'reset-body', afterBytes: 1_000_000 }, /socket hang up|ECONNRESET|EPIPE/, false],
  [{ kind: 'reset-body', afterBytes: 2_999_999 }, /socket hang up|ECONNRESET|EPIPE/, false],
  [{ kind: 'html' }, /unexpected status code - 502/, false],
  [{ kind: 'html', status: 503, effect: 'done' }, /unexpected status code - 503/, true],
  [{ kind: 'error', message: 'Broken' }, /^Broken$/, false],
  [{ kind: 'garbage' }, /invalid JSON response/, true],
  [{ kind: 'garbage', effect: 'none' }, /invalid JSON response/, false],
  [{ kind: 'rate-limit', status: 429 }, /Rate Limit Exceeded/, false],
  [{ kind: 'drop-after-success' }, /socket hang up|ECONNRESET/, true],
  [{ kind: 'cut-response' }, /aborted|ECONNRESET|socket hang up/, true],
])('%j fails an upload once', async (fault, message, exists) => {
  const { sdk, emulator } = await setup();
  await emulator.faults.add(fault);
  expect((await failure(upload(sdk, { timeout: 1500 }))).message).toMatch(message);
  expect(await emulator.assets.count()).toBe(exists ? 1 : 0);
  expect((await upload(sdk)).bytes).toBe(big.length);
  expect((await emulator.faults.list())[0]).toMatchObject({ hits: 1 });
});

test('a slow answer comes after the work is done', async () => {
  const { sdk, emulator } = await setup();
  await emulator.faults.add({ kind: 'slow-response', ms: 1000 });
  const reply = upload(sdk);
  await eventually(async () => expect(await emulator.assets.count()).toBe(1));
  expect((await emulator.requests.counters()).inFlight).toBe(1);
  expect((await reply).bytes).toBe(big.length);
});

test('a slow reader takes the time that its pace implies', async () => {
  const { sdk, emulator } = await setup();
  await emulator.faults.add({ kind: 'slow-body', bytesPerSecond: 6_000_000 });
  const startedAt = performance.now();
  await upload(sdk);
  expect(performance.now() - startedAt).toBeGreaterThan(400);
});

test('a corrupting host reports the MD5 of what it stored', async () => {
  const { sdk, emulator } = await setup();
  await emulator.faults.add({ kind: 'corrupt' });
  const broken = await upload(sdk);
  const sound = await upload(sdk, { public_id: 'y' });
  expect(broken.etag).not.toBe(sound.etag);
  expect(broken.bytes).toBe(sound.bytes);
});

test('hits only what it matches, after the skipped ones, as often as it counts', async () => {
  const { sdk, emulator } = await setup();
  await sdk.upload(png(1, 1), { public_id: 'a' });
  await emulator.faults.add({
    kind: 'error',
    match: { endpoint: 'destroy', publicId: 'a*' },
    skip: 1,
    count: 2,
  });
  const destroy = (id: string) => sdk.uploader.destroy(id, sdk.account());
  expect(await destroy('b')).toEqual({ result: 'not found' });
  expect(await destroy('a1')).toEqual({ result: 'not found' });
  expect((await failure(destroy('a'))).http_code).toBe(500);
  expect((await failure(destroy('a'))).message).toBe('General Error');
  expect(await destroy('a')).toEqual({ result: 'ok' });
});

test('hits until it is cleared when its count is null', async () => {
  const { sdk, emulator } = await setup();
  const { id } = await emulator.faults.add({
    kind: 'rate-limit',
    match: { endpoint: ['list', 'search'] },
    count: null,
  });
  for (let call = 0; call < 3; call += 1) expect((await failure(sdk.list())).http_code).toBe(420);
  expect((await failure(sdk.search(''))).message).toMatch(/^Rate Limit Exceeded\. .* Try again on/);
  await emulator.faults.clear(id);
  expect((await sdk.list()).resources).toEqual([]);
});

test.each([0, 0.7])(
  'a listing that keeps %d of the assets hides the same ones on every page',
  async (keep) => {
    const { sdk, emulator } = await setup();
    await emulator.assets.seed(1000);
    await emulator.faults.add({ kind: 'short-listing', keep, count: null });
    const walk = async () => {
      const seen: string[] = [];
      for (let cursor: string | undefined = ''; cursor !== undefined;) {
        const page = await sdk.list({ max_results: 100, ...(cursor === '' ? {} : { next_cursor: cursor }) });
        seen.push(...page.resources.map((asset) => asset.public_id));
        cursor = page.next_cursor;
      }
      return seen;
    };
    const assetIds = (await emulator.assets.list({ limit: 100 })).map((asset) => asset.assetId);
    const confirmed = await sdk.api.resources_by_asset_ids(assetIds, sdk.account());
    expect(confirmed.resources).toHaveLength(100);
    const seen = await walk();
    expect(seen.length / 1000).toBeCloseTo(keep, 1);
    expect(await walk()).toEqual(seen);
    await emulator.faults.clear();
    expect(await walk()).toHaveLength(1000);
  },
);

test('damages the stored bytes of an asset', async () => {
  const { sdk, emulator } = await setup();
  const sent = await sdk.upload(png(1, 1), { public_id: 'a' });
  const damaged = await emulator.assets.corrupt(String(sent['asset_id']));
  expect(damaged.etag).not.toBe(sent.etag);
  const [listed] = (await sdk.list({ fields: ['etag'] })).resources;
  expect(listed?.etag).toBe(damaged.etag);
  expect((await emulator.assets.bytes(damaged.assetId))?.equals(png(1, 1))).toBe(false);
});

test('refuses a fault it does not know', async () => {
  const { emulator } = await setup();
  const add = (fault: unknown) => emulator.faults.add(fault as Fault);
  await expect(add({ kind: 'explode' })).rejects.toThrow(/kind/);
  await expect(add({ kind: 'html', match: { endpont: 'list' } })).rejects.toThrow(/endpont/);
  expect(await emulator.faults.list()).toEqual([]);
});

test('spoils the delivery of files too', async () => {
  const { sdk, emulator } = await setup();
  const { secure_url: url } = await upload(sdk);
  const match = { endpoint: 'deliver', publicId: 'x' };
  await emulator.faults.add({ kind: 'html', status: 503, match });
  await emulator.faults.add({ kind: 'cut-response', match });
  expect((await fetch(url)).status).toBe(503);
  await expect(fetch(url).then((response) => response.arrayBuffer())).rejects.toThrow(
    /terminated|fetch failed/,
  );
  const sound = await fetch(url.replace(/\/v\d+\//, '/v1/'));
  expect(Buffer.from(await sound.arrayBuffer()).equals(big)).toBe(true);
});

test('leaves no socket open after failures', async () => {
  const { sdk, emulator } = await setup();
  await emulator.faults.add({ kind: 'drop-after-success', count: 5 });
  for (let call = 0; call < 5; call += 1) await failure(upload(sdk));
  await eventually(async () => {
    expect(await emulator.requests.counters()).toMatchObject({ openSockets: 0, inFlight: 0 });
  });
});
