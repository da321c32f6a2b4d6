import { once } from 'node:events';
import { connect } from 'node:net';
import { expect, it, onTestFinished, vi } from 'vitest';
import { startCloudinaryEmulator, type Fault } from '@holdfast/cloudinary-emulator';
import { aPng } from '../../test/support/api-pair.js';
import { LARGE, openUploadBench } from '../../test/support/upload-bench.js';

const match = { endpoint: 'upload' };
const inParts = 300_000;
const inOne = 1_000_000;

async function openBench(maxRequestBytes: number, maxBytes = 1_000_000) {
  const emulator = await startCloudinaryEmulator();
  onTestFinished(() => emulator.close());
  const env = { CLOUDINARY_URL: emulator.cloudinaryUrl };
  const bench = await openUploadBench({ maxBytes }, env, {
    maxRequestBytes,
    timeouts: { uploadIdleMs: 100 },
  });
  onTestFinished(() => bench.close());
  return { emulator, bench };
}

const failures: [string, Fault, number, string][] = [
  ['a 500', { kind: 'error', status: 500, match }, 502, 'HOST_REJECTED'],
  ['a 400', { kind: 'error', status: 400, match }, 502, 'HOST_REJECTED'],
  [
    'a refusal for its size',
    { kind: 'error', status: 400, message: 'File size too large. Got 2. Maximum is 1.', match },
    413,
    'HOST_LIMIT',
  ],
  ['an early 400', { kind: 'early-error', match }, 502, 'HOST_REJECTED'],
  ['a 503 in HTML', { kind: 'html', status: 503, match }, 502, 'HOST_REJECTED'],
  ['a 504 in HTML', { kind: 'html', status: 504, match }, 504, 'HOST_TIMEOUT'],
  ['half an answer', { kind: 'garbage', effect: 'none', match }, 502, 'HOST_REJECTED'],
  ['a reset', { kind: 'reset-body', afterBytes: 50_000, match }, 502, 'HOST_REJECTED'],
  ['silence', { kind: 'silence', ms: 20_000, readBody: true, match }, 504, 'HOST_TIMEOUT'],
];

const ways = [
  ['in parts', inParts],
  ['in one request', inOne],
] as const;

it.each(
  ways.flatMap(([how, parts]) => failures.map(([what, ...rest]) => [how, what, parts, ...rest] as const)),
)('an upload %s that the host answers with %s', async (_how, _what, parts, fault, status, code) => {
  const { bench, emulator } = await openBench(parts);
  await emulator.faults.add({ ...fault, count: null });
  const { status: answered, body } = await bench.send([['file', aPng(LARGE)]]);
  expect({ status: answered, code: body['code'] }).toEqual({ status, code });
  await emulator.faults.clear();
  await bench.expectNothingLeft();
  expect(await emulator.assets.count()).toBe(0);
});

it('names the host where a later part fails', async () => {
  const emulator = await startCloudinaryEmulator();
  onTestFinished(() => emulator.close());
  const maxRequestBytes = 6_000_000;
  const bench = await openUploadBench(
    { maxBytes: 20_000_000 },
    { CLOUDINARY_URL: emulator.cloudinaryUrl },
    { maxRequestBytes },
  );
  onTestFinished(() => bench.close());
  await emulator.faults.add({ kind: 'error', skip: 1, match });
  expect(await bench.send([['file', aPng(19_000_000)]])).toMatchObject({
    status: 502,
    body: { code: 'HOST_REJECTED' },
  });
  expect(await emulator.assets.count()).toBe(0);
});

it.each(ways)('an upload %s whose form ends in the middle of the file', async (_how, parts) => {
  const { bench, emulator } = await openBench(parts);
  const head = '--b\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n';
  const response = await fetch(bench.url, {
    method: 'POST',
    body: Buffer.concat([Buffer.from(head), aPng(LARGE)]),
    headers: { 'Content-Type': 'multipart/form-data; boundary=b' },
  });
  expect({ status: response.status, body: await response.json() }).toMatchObject({
    status: 400,
    body: { code: 'MALFORMED_BODY' },
  });
  await bench.expectNothingLeft();
  expect(await emulator.assets.count()).toBe(0);
});

it('removes what a client left that vanishes between two parts', async () => {
  const { bench, emulator } = await openBench(6_000_000, 20_000_000);
  const socket = connect(bench.port, '127.0.0.1');
  await once(socket, 'connect');
  socket.write(
    'POST /upload HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 19000000\r\n\r\n',
  );
  socket.write('--b\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n');
  socket.write(aPng(8_000_000));
  await vi.waitFor(async () =>
    expect((await emulator.requests.counters()).byEndpoint['upload'] ?? 0).toBeGreaterThan(0),
  );
  socket.destroy();
  await bench.expectNothingLeft();
  await vi.waitFor(() => expect(bench.uploads.slots.running).toBe(0));
  expect(await emulator.assets.count()).toBe(0);
});
