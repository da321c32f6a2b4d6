import crypto from 'node:crypto';
import { expect, it, onTestFinished, vi } from 'vitest';
import { onePixelPng } from '../../testing/index.js';
import { emulatedHost } from '../testing/emulated-host.js';
import { md5, putRequest } from '../testing/put-request.js';
import { createAgentPool, loadSdk } from './sdk.js';

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

it('gives the agent that was used last to the next call', () => {
  const pool = createAgentPool('https://api.example.com', 2);
  const [first, second] = [pool.lease(), pool.lease()];
  first.release();
  second.release();
  expect(pool.lease().agent).toBe(second.agent);
  expect(pool.lease().agent).toBe(first.agent);
  pool.destroy();
});

it('replaces agents whose socket idled for over four seconds', () => {
  let time = 0;
  const pool = createAgentPool('http://127.0.0.1:1', 2, () => time);
  const old = pool.lease();
  old.release();
  time = 4_000;
  const same = pool.lease();
  expect(same.agent).toBe(old.agent);
  same.release();
  time = 8_001;
  expect(pool.lease().agent).not.toBe(old.agent);
  pool.destroy();
});

it('never gives out an agent that was destroyed, nor one twice', () => {
  const pool = createAgentPool('http://127.0.0.1:1', 2);
  const killed = pool.lease();
  killed.destroy();
  killed.release();
  const lease = pool.lease();
  expect(lease.agent).not.toBe(killed.agent);
  lease.release();
  lease.release();
  expect(pool.lease().agent).not.toBe(pool.lease().agent);
  pool.destroy();
});

/** Of these bytes the SDK makes a boundary: their base64 without what is no lower-case letter or digit. */
const bytesFor = (boundary: string): Buffer => Buffer.from(boundary.padEnd(16, 'A'), 'base64');

/** The SDK draws these next, and then by chance again. */
function draw(boundaries: readonly string[]): ReturnType<typeof vi.fn> {
  const randomBytes = vi.spyOn(crypto, 'randomBytes') as unknown as ReturnType<typeof vi.fn>;
  onTestFinished(() => randomBytes.mockRestore());
  for (const boundary of boundaries) randomBytes.mockReturnValueOnce(bytesFor(boundary));
  return randomBytes;
}

it.each([
  ['empty', ['']],
  ['of one character', ['a']],
  ['of three, twice', ['abc', 'xyz']],
])('an upload whose form has a boundary that is %s is begun anew', async (_case, boundaries) => {
  const { host, emulator } = await emulatedHost();
  const randomBytes = draw(boundaries);
  const request = putRequest();
  const { asset, existed } = await host.put(request);
  expect(randomBytes.mock.results.length).toBeGreaterThan(boundaries.length);
  expect(existed).toBe(false);
  expect(asset).toMatchObject({ bytes: onePixelPng.length, etag: md5(onePixelPng) });
  expect(await emulator.assets.list({ limit: 10 })).toHaveLength(1);
});

it('what is asked or told about an asset in a form without a boundary is sent once more', async () => {
  const { host, emulator } = await emulatedHost();
  const { asset } = await host.put(putRequest());
  draw(['']);
  expect(await host.find(asset)).toEqual(asset);
  draw(['']);
  expect((await host.annotate(asset, { context: { title: 'New' }, tags: [] })).context).toEqual({
    title: 'New',
  });
  draw(['']);
  expect(await host.remove(asset)).toBe('removed');
  expect(await emulator.assets.list({ limit: 10 })).toEqual([]);
  expect((await emulator.requests.counters()).byStatus['400']).toBe(3);
});

it('reads texts of several bytes a character unharmed out of long answers', async () => {
  const { host } = await emulatedHost();
  const tags = Array.from({ length: 50 }, (_, index) => `${'漢'.repeat(98)}${String(index + 10)}`);
  const metadata = { context: { hf: '1' }, tags };
  for (let count = 0; count < 40; count += 1) await host.put(putRequest({ metadata }));
  const { signal } = new AbortController();
  const { assets } = await host.list({ resourceType: 'image', cursor: null, limit: 500, signal });
  expect(assets).toHaveLength(40);
  expect(assets.flatMap((asset) => asset.tags).filter((tag) => !tags.includes(tag))).toEqual([]);
});
