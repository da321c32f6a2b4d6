import crypto from 'node:crypto';
import { expect, it, onTestFinished, vi } from 'vitest';
import { onePixelPng } from '../../testing/index.js';
import { emulatedHost } from '../testing/emulated-host.js';
import type { MediaHost } from '../media-host.js';
import { md5, newRef, putRequest } from '../testing/put-request.js';
import { loadSdk } from './sdk.js';

const signal = new AbortController().signal;
const firstPage = (host: MediaHost) => host.list({ resourceType: 'image', cursor: null, limit: 500, signal });

it('works whatever the environment says, leaves it alone, and keeps to one protocol', () => {
  vi.stubEnv('CLOUDINARY_URL', '"https://not-cloudinary"');
  vi.stubEnv('CLOUDINARY_API_PROXY', 'http://proxy.example.com');
  const sdk = loadSdk('http://127.0.0.1:1');
  expect(Object.keys(sdk.uploader)).toContain('upload_stream');
  expect(process.env['CLOUDINARY_URL']).toBe('"https://not-cloudinary"');
  expect(process.env['CLOUDINARY_API_PROXY']).toBe('http://proxy.example.com');
  expect(loadSdk('http://127.0.0.1:2')).toBe(sdk);
  expect(() => loadSdk('https://api.cloudinary.com')).toThrow(/http or by https/);
  vi.unstubAllEnvs();
  expect(process.env['CLOUDINARY_API_PROXY']).toBeUndefined();
});

it('closes connections that were not used for four seconds, and keeps those that were', async () => {
  const { host, emulator } = await emulatedHost();
  const open = async () => (await emulator.requests.counters()).openSockets;
  await host.find(newRef());
  expect(await open()).toBe(1);
  await vi.waitFor(async () => expect(await open()).toBe(0), { timeout: 8_000, interval: 100 });
  expect(await host.find(newRef())).toBeNull();
}, 10_000);

it('gives every form a boundary, though the SDK would draw none', async () => {
  const { host, emulator } = await emulatedHost();
  const randomBytes = vi.spyOn(crypto, 'randomBytes') as unknown as ReturnType<typeof vi.fn>;
  onTestFinished(() => randomBytes.mockRestore());
  // The SDK keeps only the lower-case letters and digits of what it draws.
  randomBytes.mockReturnValue(Buffer.from('A'.repeat(16), 'base64'));
  const { asset } = await host.put(putRequest());
  expect(asset).toMatchObject({ bytes: onePixelPng.length, etag: md5(onePixelPng) });
  expect(await host.find(asset)).toEqual(asset);
  expect(await host.remove(asset)).toBe('removed');
  expect((await emulator.requests.counters()).byStatus).toEqual({ 200: 3 });
});

it('reads texts of several bytes a character unharmed out of long answers', async () => {
  const { host } = await emulatedHost();
  const tags = Array.from({ length: 50 }, (_, index) => `${'漢'.repeat(98)}${String(index + 10)}`);
  const metadata = { context: { hf: '1' }, tags };
  for (let count = 0; count < 40; count += 1) await host.put(putRequest({ metadata }));
  const { assets } = await host.list({ resourceType: 'image', cursor: null, limit: 500, signal });
  expect(assets).toHaveLength(40);
  expect(assets.flatMap((asset) => asset.tags).filter((tag) => !tags.includes(tag))).toEqual([]);
});

it('reports the budget of the last answer, and counts only metered calls', async () => {
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

it('follows the clock of the host, not its own', async () => {
  const { host } = await emulatedHost();
  const now = Date.now.bind(Date);
  const clock = vi.spyOn(Date, 'now').mockImplementation(() => now() - 3_600_000);
  onTestFinished(() => clock.mockRestore());
  expect(host.hostNow()).toBeLessThan(now() - 3_000_000);
  await host.find(newRef());
  expect(host.hostNow()).toBeGreaterThan(now() - 3_000);
  expect(host.hostNow()).toBeLessThanOrEqual(now());
});
