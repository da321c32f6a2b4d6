import { expect, it } from 'vitest';
import { emulatedHost } from '../testing/emulated-host.js';
import { redirectTarget } from './files.js';

const file = Buffer.alloc(100_000, 'snapshot');

it('reads, keeps and removes files without a metered call, and lists them with one', async () => {
  const { host } = await emulatedHost();
  await host.putFile('backups/a', file);
  await host.readFile('backups/a');
  await host.removeFile('backups/b');
  expect(host.meteredCalls()).toBe(0);
  await host.listFiles('backups/');
  expect(host.meteredCalls()).toBe(1);
});

it('lists more files than one page holds', async () => {
  const { emulator, host } = await emulatedHost();
  await emulator.assets.seed(501, { publicId: 'backups/{n:6}', resourceType: 'raw', type: 'authenticated' });
  const files = await host.listFiles('backups/');
  expect(new Set(files.map(({ name }) => name)).size).toBe(501);
});

it('does not take other bytes for those it sent', async () => {
  const { emulator, host } = await emulatedHost();
  await emulator.faults.add({ kind: 'corrupt' });
  await expect(host.putFile('backups/a', file)).rejects.toMatchObject({ code: 'HOST_CONTENT_MISMATCH' });
});

it('returns the bytes of the answer, even if it claims to be JSON', async () => {
  const { emulator, host } = await emulatedHost();
  await host.putFile('backups/a', file);
  const body = '{"public_id": "tru';
  await emulator.faults.add({ kind: 'garbage', body, effect: 'none', match: { endpoint: 'download' } });
  expect(await host.readFile('backups/a')).toEqual(Buffer.from(body));
});

it.each([
  [{ kind: 'cut-response' }, 'HOST_REJECTED'],
  [{ kind: 'html', status: 503 }, 'HOST_REJECTED'],
  [{ kind: 'silence', ms: 5_000 }, 'HOST_TIMEOUT'],
] as const)('fails to read a file by %o, and says nothing about its address', async (fault, code) => {
  const { emulator, host } = await emulatedHost({}, { timeouts: { pageMs: 300 } });
  await host.putFile('backups/a', file);
  await emulator.faults.add({ ...fault, match: { endpoint: 'download' } });
  const error: unknown = await host.readFile('backups/a').catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code });
  expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain('signature=');
  expect(await host.readFile('backups/a')).toEqual(file);
});

it.each([302, 307] as const)(
  'follows a download that is answered with %i three times at most',
  async (status) => {
    const { emulator, host } = await emulatedHost();
    await host.putFile('backups/a', file);
    const fault = { kind: 'redirect', status, match: { endpoint: 'download' } } as const;
    await emulator.faults.add({ ...fault, count: 3 });
    expect(await host.readFile('backups/a')).toEqual(file);
    await emulator.faults.add({ ...fault, count: null });
    await expect(host.readFile('backups/a')).rejects.toMatchObject({ code: 'HOST_REJECTED' });
    expect((await emulator.requests.counters()).byStatus).toMatchObject({ 200: 2, [status]: 7 });
  },
);

it('does not follow a download to another host', async () => {
  const { emulator, host } = await emulatedHost();
  const { emulator: elsewhere } = await emulatedHost();
  await host.putFile('backups/a', file);
  const to = `${elsewhere.url}/somewhere`;
  await emulator.faults.add({ kind: 'redirect', to, match: { endpoint: 'download' } });
  await expect(host.readFile('backups/a')).rejects.toMatchObject({ code: 'HOST_REJECTED' });
  expect((await elsewhere.requests.counters()).total).toBe(0);
});

it('waits for a slow download as long as its size may take', async () => {
  const { emulator, host } = await emulatedHost({}, { timeouts: { pageMs: 300 } });
  await host.putFile('backups/a', file);
  await emulator.faults.add({ kind: 'slow-body', bytesPerSecond: 100_000, match: { endpoint: 'download' } });
  expect(await host.readFile('backups/a', undefined, file.length)).toEqual(file);
});

it.each([
  ['falls silent', file.length, 1],
  ['drips for longer than its size may take', 500, 100],
])('gives a download up that %s', async (_case, bytes, bytesPerSecond) => {
  const { emulator, host } = await emulatedHost({}, { timeouts: { pageMs: 300 } });
  await host.putFile('backups/a', file.subarray(0, bytes));
  await emulator.faults.add({ kind: 'slow-body', bytesPerSecond, match: { endpoint: 'download' } });
  const startedAt = performance.now();
  await expect(host.readFile('backups/a', undefined, bytes)).rejects.toMatchObject({ code: 'HOST_TIMEOUT' });
  expect(performance.now() - startedAt).toBeLessThan(2_000);
});

it('concludes nothing about the host as a whole from a download that fails', async () => {
  const { emulator, host } = await emulatedHost();
  await host.putFile('backups/a', file);
  await emulator.faults.add({ kind: 'error', status: 401, match: { endpoint: 'download' } });
  await expect(host.readFile('backups/a')).rejects.toMatchObject({ code: 'HOST_REJECTED' });
  expect(host.health()).toMatchObject({ reachable: true, lastFailureAt: null });
});

it('refuses to keep a file that the account stores under another name, and removes it', async () => {
  const { host, emulator } = await emulatedHost({ defaultPreset: { folder: 'incoming' } });
  await expect(host.putFile('backups/a', Buffer.from('a'))).rejects.toMatchObject({
    code: 'HOST_ALTERS_UPLOADS',
  });
  expect(await emulator.assets.list()).toEqual([]);
});

it.each([
  ['https://api.cloudinary.com/b', true],
  ['/b', true],
  ['https://res-1.cloudinary.com/b', true],
  ['http://res.cloudinary.com/b', false],
  ['https://res.cloudinary.com:8443/b', false],
  ['https://res.cloudinary.com.example.org/b', false],
  ['https://notcloudinary.com/b', false],
  ['https://user:secret@res.cloudinary.com/b', false],
  ['https://127.0.0.1/b', false],
  ['http://[', false],
])('a download may be redirected to %s: %s', (location, allowed) => {
  expect(redirectTarget('https://api.cloudinary.com/a?signature=x', location) !== null).toBe(allowed);
});
