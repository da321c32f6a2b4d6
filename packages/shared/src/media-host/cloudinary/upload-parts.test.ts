import { createHash, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { expect, it } from 'vitest';
import { newRef, putRequest } from '../testing/put-request.js';
import { emulatedHost } from '../testing/emulated-host.js';

const MB = 1_000_000;
const parts = { above: 6 * MB, bytes: 6 * MB };

/** A stream of `total` bytes in chunks of an odd size, and the hash of all of them. */
function hashedBody(total: number): { body: Readable; md5: () => string } {
  const hash = createHash('md5');
  let left = total;
  const body = new Readable({
    read() {
      if (left === 0) {
        this.push(null);
        return;
      }
      const chunk = randomBytes(Math.min(65_521, left));
      left -= chunk.length;
      hash.update(chunk);
      this.push(chunk);
    },
  });
  return { body, md5: () => hash.digest('hex') };
}

it.each([
  ['a short last part', 13 * MB, 13 * MB, 3],
  ['a whole number of parts', 12 * MB, 12 * MB, 2],
  ['less than was announced', 11 * MB, 14 * MB, 2],
  ['less than one part', 2 * MB, 7 * MB, 1],
])('joins %s', async (_case, size, contentLength, requests) => {
  const { host, emulator } = await emulatedHost({}, { parts });
  const { body, md5 } = hashedBody(size);
  const { asset } = await host.put(putRequest({ ref: newRef('raw', '.bin'), body, contentLength }));
  expect(asset).toMatchObject({ bytes: size, etag: md5(), context: { hf: '1', title: 'A' }, tags: ['sea'] });
  expect((await emulator.requests.counters()).byEndpoint['upload']).toBe(requests);
});

it('cuts a whole buffer too', async () => {
  const { host } = await emulatedHost({}, { parts });
  const body = randomBytes(13 * MB);
  const { asset } = await host.put(putRequest({ ref: newRef('raw', '.bin'), body }));
  expect(asset.etag).toBe(createHash('md5').update(body).digest('hex'));
});

it('fails cleanly when a part in the middle fails', async () => {
  const { host, emulator } = await emulatedHost({}, { parts });
  await emulator.faults.add({ kind: 'html', status: 503, skip: 1, match: { endpoint: 'upload' } });
  const { body } = hashedBody(20 * MB);
  const ref = newRef('raw', '.bin');
  await expect(host.put(putRequest({ ref, body, contentLength: 20 * MB }))).rejects.toMatchObject({
    code: 'HOST_REJECTED',
  });
  expect(body.destroyed).toBe(true);
  expect(await host.find(ref)).toBeNull();
});

it('stops between parts when the upload is aborted', async () => {
  const { host, emulator } = await emulatedHost({}, { parts });
  const control = new AbortController();
  let given = 0;
  const body = new Readable({
    read() {
      given += 1;
      if (given < 130) this.push(randomBytes(65_536));
      else control.abort(new Error('gone'));
    },
  });
  const ref = newRef('raw', '.bin');
  const request = putRequest({ ref, body, contentLength: 20 * MB, signal: control.signal });
  await expect(host.put(request)).rejects.toThrow('gone');
  expect(body.destroyed).toBe(true);
  expect((await emulator.requests.counters()).inFlight).toBe(0);
  expect(await host.find(ref)).toBeNull();
});

it('carries a file above what one request may hold', async () => {
  const { host } = await emulatedHost({ bytes: 'discard' });
  const size = 104 * MB;
  const { body, md5 } = hashedBody(size);
  const request = putRequest({ ref: newRef('raw', '.bin'), body, contentLength: size });
  const { asset } = await host.put(request);
  expect(asset).toMatchObject({ bytes: size, etag: md5() });
});
