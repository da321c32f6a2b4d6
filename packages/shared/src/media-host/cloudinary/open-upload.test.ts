import crypto from 'node:crypto';
import { expect, it, onTestFinished, vi } from 'vitest';
import { onePixelPng } from '../../testing/index.js';
import { emulatedHost } from '../testing/emulated-host.js';
import { md5, putRequest } from '../testing/put-request.js';

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
