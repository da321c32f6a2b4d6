import { expect, it } from 'vitest';
import { emulatedHost } from '../testing/emulated-host.js';

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

it('gives the bytes of what the host answers, also where it says that they are JSON', async () => {
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
