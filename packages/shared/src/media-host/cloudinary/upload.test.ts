import { createHash, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { inspect } from 'node:util';
import type { Fault } from '@holdfast/cloudinary-emulator';
import { expect, it, onTestFinished, vi } from 'vitest';
import { isHoldfastError } from '@holdfast/foundation/errors';
import { onePixelPng } from '../../testing/index.js';
import { isTransientHostError } from '../media-host.js';
import { cloudinaryHost, emulatedHost } from '../testing/emulated-host.js';
import { newRef, putRequest } from '../testing/put-request.js';

const match = { endpoint: 'upload' };
const timeouts = { uploadIdleMs: 300, callMs: 500, pageMs: 500 };
const rawPut = (body: Buffer | Readable, contentLength = 3_000_000) =>
  putRequest({ ref: newRef('raw', '.bin'), body, contentLength });

/** Three megabytes that no socket buffer swallows whole before the host answers. */
function largeBody(): Readable {
  return Readable.from(Array.from({ length: 48 }, () => randomBytes(64 * 1024)));
}

const failures: [string, Fault, string, unknown][] = [
  // The refusal may be lost behind the reset of the connection, and is then a failure of the network.
  ['an early refusal', { kind: 'early-error', match }, 'HOST_REJECTED', expect.any(Boolean)],
  ['a reset in the middle', { kind: 'reset-body', afterBytes: 50_000, match }, 'HOST_REJECTED', true],
  ['a reset before the first byte', { kind: 'reset-body', afterBytes: 0, match }, 'HOST_REJECTED', true],
  // The emulator does not look at a socket that it leaves unread, so it must let go of it by itself.
  ['silence', { kind: 'silence', ms: 5_000, match }, 'HOST_TIMEOUT', true],
  ['silence after the body', { kind: 'silence', ms: 20_000, readBody: true, match }, 'HOST_TIMEOUT', true],
  ['a page of a proxy', { kind: 'html', status: 502, match }, 'HOST_REJECTED', true],
  ['an unavailable host', { kind: 'html', status: 503, match }, 'HOST_REJECTED', true],
  ['a gateway that gave up', { kind: 'html', status: 504, match }, 'HOST_TIMEOUT', true],
  ['an internal error', { kind: 'error', status: 500, match }, 'HOST_REJECTED', true],
  ['a reply that is cut', { kind: 'cut-response', match }, 'HOST_REJECTED', true],
  ['a lost reply', { kind: 'drop-after-success', match }, 'HOST_REJECTED', true],
  ['a request to wait', { kind: 'rate-limit', match }, 'HOST_RATE_LIMITED', true],
];

it.each(failures)(
  'settles once on %s, destroys the source and leaves no socket',
  async (_case, fault, code, transient) => {
    const { host, emulator } = await emulatedHost({}, { timeouts });
    await emulator.faults.add({ ...fault, count: 2 });
    for (const body of [largeBody(), randomBytes(100_000)]) {
      const error: unknown = await host.put(rawPut(body)).catch((thrown: unknown) => thrown);
      expect({
        code: isHoldfastError(error) ? error.code : error,
        transient: isTransientHostError(error),
        left: body instanceof Readable && !body.destroyed,
      }).toEqual({ code, transient, left: false });
    }
    await emulator.faults.clear();
    // What was read to its end leaves its socket to the next request, for four seconds.
    await vi.waitFor(async () => expect((await emulator.requests.counters()).openSockets).toBe(0), 20_000);
    expect((await host.put(rawPut(randomBytes(1_000)))).existed).toBe(false);
  },
);

it('treats garbage with status 200 as a failure', async () => {
  const { host, emulator } = await emulatedHost();
  await emulator.faults.add({ kind: 'garbage', match });
  await emulator.faults.add({ kind: 'garbage', body: '{"fine":true}', match });
  for (const request of [rawPut(largeBody()), rawPut(largeBody())]) {
    const error: unknown = await host.put(request).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'HOST_REJECTED' });
    expect(isTransientHostError(error)).toBe(true);
  }
});

it('finds what was stored when only the answer was lost', async () => {
  const { host, emulator } = await emulatedHost();
  await emulator.faults.add({ kind: 'drop-after-success', match });
  const request = rawPut(randomBytes(10_000));
  await expect(host.put(request)).rejects.toMatchObject({ code: 'HOST_REJECTED' });
  const found = await host.find(request.ref);
  expect(found?.bytes).toBe(10_000);
  expect(await host.put(request)).toEqual({ existed: true, asset: found });
});

it('gives up a host that dribbles for ever', async () => {
  const server = createServer((req, res) => {
    req.resume();
    res.writeHead(200);
    const drip = setInterval(() => res.write(' '), 20);
    res.on('close', () => clearInterval(drip));
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const { settings } = await emulatedHost();
  const apiUrl = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
  const host = cloudinaryHost({ ...settings, apiUrl }, { timeouts: { ...timeouts, uploadIdleMs: 100 } });
  for (const call of [
    host.put(putRequest()),
    host.find(newRef()),
    host.list({ resourceType: 'image', cursor: null, limit: 1, signal: new AbortController().signal }),
  ])
    await expect(call).rejects.toMatchObject({ code: 'HOST_TIMEOUT' });
  await vi.waitFor(
    () =>
      new Promise<void>(
        (resolve, reject) =>
          void server.getConnections((_e, count) =>
            count === 0 ? resolve() : reject(new Error(`${String(count)} open`)),
          ),
      ),
  );
});

it('rejects, with the source destroyed, where the SDK throws at once', async () => {
  const { settings } = await emulatedHost();
  const host = cloudinaryHost({ ...settings, apiSecret: '' });
  const body = largeBody();
  await expect(host.put(rawPut(body))).rejects.toMatchObject({ code: 'HOST_REJECTED' });
  expect(body.destroyed).toBe(true);
});

it('reports a host that cannot be reached as failing, and one that came back as reachable', async () => {
  const { host, emulator } = await emulatedHost();
  await emulator.faults.add({ kind: 'html', status: 503 });
  await expect(host.find(newRef())).rejects.toMatchObject({ code: 'HOST_REJECTED' });
  expect(host.health()).toMatchObject({ reachable: false, lastErrorCode: 'HOST_REJECTED' });
  expect(await host.find(newRef())).toBeNull();
  expect(host.health()).toMatchObject({ reachable: true });
});

it('does not blame the host for a file that it refuses', async () => {
  const { host } = await emulatedHost({ maxBytes: { image: 50 } });
  await expect(host.put(putRequest())).rejects.toMatchObject({ code: 'HOST_LIMIT' });
  await expect(host.put(putRequest({ body: randomBytes(40) }))).rejects.toMatchObject({
    code: 'HOST_REJECTED',
    message: 'Invalid image file',
  });
  expect(host.health().reachable).toBe(true);
});

it.each([
  [401, false],
  [403, true],
])('takes a %i for a refusal of everything: %s', async (status, reachable) => {
  const { host, emulator } = await emulatedHost();
  await emulator.faults.add({ kind: 'error', status, message: 'no' });
  await expect(host.put(putRequest())).rejects.toMatchObject({ code: 'HOST_REJECTED' });
  expect(host.health().reachable).toBe(reachable);
});

it('never lets credentials or strings to sign into an error', async () => {
  const { settings, emulator } = await emulatedHost();
  const apiSecret = 'wrong-secret-hunter2';
  const host = cloudinaryHost({ ...settings, apiSecret });
  const signal = new AbortController().signal;
  await emulator.faults.add({ kind: 'html', status: 503, match: { endpoint: 'search' } });
  const errors = await Promise.all(
    [
      host.put(putRequest()),
      host.find(newRef()),
      host.list({ resourceType: 'image', cursor: null, limit: 1, signal }),
      host.changes({ since: new Date(), cursor: null, limit: 1, signal }),
    ].map((call) => call.catch((error: unknown) => error)),
  );
  for (const error of errors) {
    expect(error).toMatchObject({ code: 'HOST_REJECTED' });
    expect(inspect(error, { depth: 20, showHidden: true })).not.toMatch(
      /hunter2|String to sign|Basic |auth:/,
    );
  }
  expect(host.health().reachable).toBe(false);
});

it('keeps one connection for uploads one after the other, and one for each of those at once', async () => {
  const { host, emulator } = await emulatedHost();
  for (let index = 0; index < 10; index += 1) await host.put(putRequest());
  expect((await emulator.requests.counters()).connections).toBe(1);
  const bodies = bodiesReadTogether(5);
  await Promise.all(bodies.map((body) => host.put(putRequest({ body, contentLength: onePixelPng.length }))));
  expect((await emulator.requests.counters()).connections).toBe(5);
});

/** None has bytes before all of them are read: no upload is over when another begins. */
function bodiesReadTogether(count: number): Readable[] {
  let read = 0;
  let open: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return Array.from({ length: count }, () =>
    Readable.from(
      (async function* () {
        read += 1;
        if (read === count) open();
        await opened;
        yield onePixelPng;
      })(),
    ),
  );
}

it('rejects, with the source destroyed, where nothing listens', async () => {
  const { settings } = await emulatedHost();
  const host = cloudinaryHost({ ...settings, apiUrl: 'http://127.0.0.1:1' });
  for (const body of [largeBody(), randomBytes(1_000)]) {
    const error: unknown = await host.put(rawPut(body)).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'HOST_REJECTED', cause: { code: 'ECONNREFUSED', status: null } });
    expect(isTransientHostError(error)).toBe(true);
    expect(body instanceof Readable && !body.destroyed).toBe(false);
  }
});

const MB = 1_000_000;
const maxRequestBytes = 6 * MB;

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
  ['a short last part', 17 * MB, 17 * MB, 3],
  ['a last part that the form leaves no room for', 13 * MB, 13 * MB, 2],
  ['a whole number of parts', 12 * MB, 12 * MB, 2],
  ['less than was announced', 11 * MB, 14 * MB, 2],
  ['all that a form may leave', 13 * MB, 17 * MB, 3],
  ['less than one part', 2 * MB, 7 * MB, 1],
])('joins %s', async (_case, size, contentLength, requests) => {
  const { host, emulator } = await emulatedHost({}, { maxRequestBytes });
  const { body, md5 } = hashedBody(size);
  const { asset } = await host.put(putRequest({ ref: newRef('raw', '.bin'), body, contentLength }));
  expect(asset).toMatchObject({ bytes: size, etag: md5(), context: { hf: '1', title: 'A' }, tags: ['sea'] });
  expect((await emulator.requests.counters()).byEndpoint['upload']).toBe(requests);
});

it('cuts a whole buffer too', async () => {
  const { host } = await emulatedHost({}, { maxRequestBytes });
  const body = randomBytes(13 * MB);
  const { asset } = await host.put(putRequest({ ref: newRef('raw', '.bin'), body }));
  expect(asset.etag).toBe(createHash('md5').update(body).digest('hex'));
});

it('refuses a body that ends within a part whose range is stated already', async () => {
  const { host, emulator } = await emulatedHost({}, { maxRequestBytes });
  const { body } = hashedBody(9 * MB);
  const ref = newRef('raw', '.bin');
  await expect(host.put(putRequest({ ref, body, contentLength: 20 * MB }))).rejects.toMatchObject({
    code: 'MALFORMED_BODY',
  });
  expect(await host.find(ref)).toBeNull();
  await vi.waitFor(async () => expect((await emulator.requests.counters()).inFlight).toBe(0));
});

it('sends a part while the body is still coming, and holds none of it', async () => {
  const { host, emulator } = await emulatedHost({ bytes: 'discard' }, { maxRequestBytes });
  const control = new AbortController();
  let given = 0;
  const body = new Readable({
    read() {
      // Five of the six megabytes of the first part, and then nothing.
      if ((given += 1) <= 80) this.push(randomBytes(62_500));
    },
  });
  const put = host.put(putRequest({ body, contentLength: 20 * MB, signal: control.signal }));
  await vi.waitFor(async () => expect((await emulator.requests.counters()).inFlight).toBe(1));
  control.abort(new Error('enough'));
  await expect(put).rejects.toThrow('enough');
});

it('fails cleanly when a part in the middle fails', async () => {
  const { host, emulator } = await emulatedHost({}, { maxRequestBytes });
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
  const { host, emulator } = await emulatedHost({}, { maxRequestBytes });
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
