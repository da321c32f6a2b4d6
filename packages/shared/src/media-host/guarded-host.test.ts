import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { expect, it, onTestFinished, vi } from 'vitest';
import type { Fault } from '@holdfast/cloudinary-emulator';
import { HoldfastError } from '@holdfast/foundation/errors';
import { silentLogger } from '@holdfast/foundation/logging';
import { startFaultProxy } from '../testing/index.js';
import { createCloudinaryHost } from './cloudinary/cloudinary-host.js';
import { guardHost, type HostCalls, isCircuitOpen } from './guarded-host.js';
import { isTransientHostError, type MediaHost } from './media-host.js';
import { emulatedHost } from './testing/emulated-host.js';
import { newRef, putRequest } from './testing/put-request.js';

const timeouts = { uploadIdleMs: 300, callMs: 300, pageMs: 300 };
const REST_MS = 300;

/** A guarded host on an emulator, over a link that can be cut. */
async function guardedHost(probeAfterMs = REST_MS) {
  const { emulator, settings } = await emulatedHost();
  const link = await startFaultProxy(Number(new URL(settings.apiUrl).port));
  const plain = createCloudinaryHost(
    { ...settings, apiUrl: `http://127.0.0.1:${String(link.port)}` },
    { log: silentLogger, timeouts },
  );
  const host = guardHost(plain, {
    log: silentLogger,
    probeAfterMs,
  });
  onTestFinished(async () => {
    await host.close();
    await link.close();
  });
  return { emulator, host, link };
}

const put = (host: MediaHost): Promise<unknown> => host.put(putRequest()).catch((error: unknown) => error);

async function putUntilOpen(host: MediaHost): Promise<number> {
  for (let tries = 1; tries <= 10; tries += 1) {
    await put(host);
    if (host.health().circuit === 'open') return tries;
  }
  throw new Error('the circuit stayed closed');
}

const closed = (host: MediaHost) => vi.waitFor(() => expect(host.health().circuit).toBe('closed'));

/** Beyond what the plan allows, by the host's own word and by that of a proxy before it. */
const tooLarge: Fault[] = [
  { kind: 'error', status: 400, message: 'File size too large. Got 2. Maximum is 1.' },
  { kind: 'html', status: 413 },
];

const deaths: [string, Fault, string][] = [
  ['is silent', { kind: 'silence', ms: 2_000, count: null }, 'HOST_TIMEOUT'],
  ['answers 500', { kind: 'error', count: null }, 'HOST_REJECTED'],
  ['answers with pages of a proxy', { kind: 'html', count: null }, 'HOST_REJECTED'],
  ['refuses our credentials', { kind: 'error', status: 401, count: null }, 'HOST_REJECTED'],
  ['answers garbage', { kind: 'garbage', effect: 'none', count: null }, 'HOST_REJECTED'],
];

it.each(deaths)(
  'is not called any more once it %s, and fails with its own code',
  async (_case, fault, code) => {
    // Longer than five silent uploads take: failed probes count as well.
    const { host, emulator } = await guardedHost(2_000);
    await emulator.faults.add(fault);
    expect(await putUntilOpen(host)).toBe(5);
    const { total } = await requests(emulator);
    const body = Readable.from([randomBytes(1_000)]);
    const refused = await Promise.all([
      host.put(putRequest({ body })).catch((error: unknown) => error),
      host.find(newRef()).catch((error: unknown) => error),
      host.remove(newRef()).catch((error: unknown) => error),
      host.confirm(['a']).catch((error: unknown) => error),
    ]);
    for (const error of refused) {
      expect(error).toMatchObject({ code, retryAfterSeconds: 5 });
      expect([isCircuitOpen(error), isTransientHostError(error)]).toEqual([true, true]);
    }
    expect(body.destroyed).toBe(true);
    expect(host.uploadRefusal()).toMatchObject({ code });
    expect((await requests(emulator)).total).toBe(total);
    await emulator.faults.clear();
    await closed(host);
    expect(await put(host)).toMatchObject({ existed: false });
  },
);

it('gets a few uploads every now and then while it answers calls but accepts no bytes', async () => {
  const { host, emulator } = await guardedHost();
  await emulator.faults.add({ kind: 'error', match: { endpoint: 'upload' }, count: null });
  for (let round = 0; round < 2; round += 1) {
    expect(await putUntilOpen(host)).toBe(5);
    await closed(host);
  }
});

it('is asked again by itself when it went away for everything and comes back', async () => {
  const { host, link } = await guardedHost();
  await put(host);
  link.set({ kind: 'refuse' });
  for (let tries = 0; tries < 5; tries += 1) await host.find(newRef()).catch(() => undefined);
  expect(host.health().circuit).toBe('open');
  link.set({ kind: 'pass' });
  await closed(host);
  expect(await put(host)).toMatchObject({ existed: false });
});

it('stays in use whatever it refuses, however slow one client is, and while it only asks to wait', async () => {
  const { host, emulator } = await guardedHost();
  await emulator.faults.add({ kind: 'early-error', match: { endpoint: 'upload' }, count: 10 });
  for (let tries = 0; tries < 10; tries += 1) await put(host);
  for (const refusal of tooLarge) {
    await emulator.faults.add({ ...refusal, count: 10 });
    for (let tries = 0; tries < 10; tries += 1) expect(await put(host)).toMatchObject({ code: 'HOST_LIMIT' });
  }
  await emulator.faults.add({ kind: 'rate-limit', match: { endpoint: 'upload' }, count: 10 });
  for (let tries = 0; tries < 10; tries += 1) await put(host);
  await emulator.faults.add({ kind: 'silence', ms: 1_000, count: null });
  for (let tries = 0; tries < 10; tries += 1) {
    const signal = AbortSignal.timeout(20);
    await host.put(putRequest({ signal })).catch(() => undefined);
  }
  expect(host.health().circuit).toBe('closed');
  expect(host.uploadRefusal()).toBeNull();
});

it.each([
  ['one failure', { kind: 'error' }, 1],
  ['four failures', { kind: 'html', status: 503 }, 4],
  ['refused credentials', { kind: 'error', status: 401 }, 1],
  ['silence', { kind: 'silence', ms: 2_000 }, 2],
] as const)('is found back by itself after %s, without a metered call', async (_case, fault, count) => {
  const { host, emulator } = await guardedHost();
  await emulator.faults.add({ ...fault, count });
  for (let tries = 0; tries < count; tries += 1) await host.find(newRef()).catch(() => undefined);
  expect(host.health()).toMatchObject({ reachable: false, circuit: 'closed' });
  await vi.waitFor(() => expect(host.health().reachable).toBe(true));
  const { byEndpoint } = await emulator.requests.counters();
  expect(byEndpoint).toEqual({ explicit: count + 1 });
});

it('is looked at only after a failure, until it answers', async () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const look = vi.fn<HostCalls['find']>().mockResolvedValue(null);
  const remove = vi.fn<HostCalls['remove']>();
  const host = guardHost({ find: look, remove, close: () => Promise.resolve() } as unknown as HostCalls, {
    log: silentLogger,
    probeAfterMs: REST_MS,
  });
  const call = (outcome: Promise<'removed'>) => {
    remove.mockReturnValueOnce(outcome);
    return host.remove(newRef()).catch(() => undefined);
  };
  const succeed = () => call(Promise.resolve('removed'));
  const fail = () => call(Promise.reject(new HoldfastError('HOST_TIMEOUT')));
  const looksAfter = async (rests: number) => {
    look.mockClear();
    await vi.advanceTimersByTimeAsync(rests * REST_MS);
    return look.mock.calls.length;
  };
  await succeed();
  expect(await looksAfter(10)).toBe(0);
  await fail();
  await succeed();
  expect(await looksAfter(10)).toBe(0);
  look.mockRejectedValueOnce(new Error('away')).mockRejectedValueOnce(new Error('away'));
  await fail();
  expect(await looksAfter(10)).toBe(3);
  await fail();
  await host.close();
  expect(await looksAfter(10)).toBe(0);
});

it('stays in use for all else while it gives no files', async () => {
  const { host, emulator } = await guardedHost();
  await emulator.faults.add({ kind: 'html', status: 503, match: { endpoint: 'download' }, count: null });
  for (let tries = 0; tries < 10; tries += 1) {
    const error: unknown = await host.readFile('backups/a').catch((thrown: unknown) => thrown);
    expect([isTransientHostError(error), isCircuitOpen(error)]).toEqual([true, false]);
  }
  expect(host.health()).toMatchObject({ circuit: 'closed', reachable: null });
});

it('is not asked for files either while it rests', async () => {
  const { host, emulator } = await guardedHost();
  await emulator.faults.add({ kind: 'error', count: null });
  await putUntilOpen(host);
  expect(isCircuitOpen(await host.readFile('backups/a').catch((thrown: unknown) => thrown))).toBe(true);
});

it('stays in use while failures are far between successes', async () => {
  const { host, emulator } = await guardedHost();
  for (let round = 0; round < 3; round += 1) {
    await emulator.faults.add({ kind: 'error', match: { endpoint: 'upload' }, count: 4 });
    for (let tries = 0; tries < 5; tries += 1) await put(host);
  }
  expect(host.health().circuit).toBe('closed');
});

async function requests(emulator: Awaited<ReturnType<typeof guardedHost>>['emulator']) {
  const recent = await emulator.requests.recent();
  return { total: recent.length };
}
