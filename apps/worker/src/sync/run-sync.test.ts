import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { HoldfastError } from '@holdfast/foundation/errors';
import { HandBack } from '@holdfast/shared/jobs';
import type { AssetPage, ListRequest, MediaHost } from '@holdfast/shared/media-host';
import { startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { openSyncRig, type SyncRig } from '../../test/support/sync-rig.js';

let sandbox: RedisSandbox;
beforeAll(async () => {
  sandbox = await startRedisSandbox();
});
afterAll(() => sandbox.close());

/** A host whose listing goes through `list`. */
function listingThrough(
  host: MediaHost,
  list: (request: ListRequest, call: number) => Promise<AssetPage>,
): MediaHost {
  let calls = 0;
  return {
    ...host,
    list: (request) => {
      calls += 1;
      return list(request, calls);
    },
  };
}

/** A worker that is stuck at one page of its listing until it is let go; `ended` is how its job ended. */
async function stuckWorker(rig: SyncRig, page: number, runId: string) {
  let letGo = (): void => undefined;
  const held = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  const host = listingThrough(rig.host, async (request, call) => {
    if (call === page) await held;
    return rig.host.list(request);
  });
  const ended = rig
    .worker({ host })({ mode: 'full', runId })
    .then(
      () => null,
      (error: unknown) => error,
    );
  await vi.waitFor(async () => expect((await rig.state.findRun(runId))?.listed).toBe((page - 1) * 500), {
    interval: 10,
  });
  return { letGo, ended };
}

async function listCalls(rig: SyncRig): Promise<number> {
  const recent = (await rig.emulator?.requests.recent()) ?? [];
  return recent.filter((request) => request.endpoint === 'list').length;
}

describe('a sync job', () => {
  it('continues at the page where a killed worker stopped, and refuses the zombie', async () => {
    const rig = await openSyncRig(sandbox, 'cloudinary');
    await rig.emulator?.assets.seed(1_700);
    const { letGo, ended } = await stuckWorker(rig, 3, 'first');
    // What its death does after a while.
    await sandbox.client.del(rig.keys.syncLease);
    await rig.emulator?.requests.reset();

    await rig.worker()({ mode: 'full', runId: 'first' });
    expect(await rig.state.findRun('first')).toMatchObject({ result: 'ok', listed: 1_700, created: 1_700 });
    expect(await listCalls(rig)).toBe(4);

    const finished = await rig.state.read();
    letGo();
    expect(await ended).toBeInstanceOf(HandBack);
    expect(await rig.state.read()).toEqual(finished);
    expect((await rig.catalog.counts()).byStatus).toMatchObject({ verified: 1_700, saving: 0, missing: 0 });
  });

  it('finishes a run that another job left behind before its own', async () => {
    const rig = await openSyncRig(sandbox, 'cloudinary');
    await rig.emulator?.assets.seed(600);
    const { letGo, ended } = await stuckWorker(rig, 2, 'left');
    await sandbox.client.del(rig.keys.syncLease);

    await rig.worker()({ trigger: 'upload', mode: 'incremental', runId: 'own' });
    expect(await rig.state.findRun('left')).toMatchObject({ result: 'ok', listed: 600, trigger: 'manual' });
    expect(await rig.state.findRun('own')).toMatchObject({ result: 'ok', mode: 'incremental' });
    letGo();
    await ended;
    // The job of the run that was finished for it comes again and has nothing to do.
    await rig.emulator?.requests.reset();
    await rig.worker()({ mode: 'full', runId: 'left' });
    expect(await listCalls(rig)).toBe(0);
  });

  it('goes back to the queue while another worker runs, and then runs', async () => {
    const rig = await openSyncRig(sandbox, 'cloudinary');
    await rig.emulator?.assets.seed(600);
    const { letGo, ended } = await stuckWorker(rig, 2, 'first');
    const second = rig.worker();
    await expect(second({ mode: 'full', runId: 'second' })).rejects.toBeInstanceOf(HandBack);
    expect((await rig.state.read()).running?.run).toMatchObject({ runId: 'first', listed: 500 });
    letGo();
    expect(await ended).toBeNull();
    await second({ mode: 'full', runId: 'second' });
    expect(await rig.state.findRun('second')).toMatchObject({
      result: 'ok',
      unchanged: 600,
      created: 0,
      expected: 600,
    });
  });

  it('leaves its state for the next worker when the process stops', async () => {
    const rig = await openSyncRig(sandbox, 'cloudinary');
    await rig.emulator?.assets.seed(1_200);
    const stop = new AbortController();
    const host = listingThrough(rig.host, (request, call) => {
      if (call === 2) stop.abort();
      return rig.host.list(request);
    });
    await expect(rig.worker({ host })({ mode: 'full', runId: 'r' }, stop.signal)).rejects.toBeInstanceOf(
      HandBack,
    );
    expect(await sandbox.client.exists(rig.keys.syncLease)).toBe(0);
    await rig.worker()({ mode: 'full', runId: 'r' });
    expect(await rig.state.findRun('r')).toMatchObject({ result: 'ok', listed: 1_200, created: 1_200 });
  });

  it('starts the listing again when the host forgot its cursor', async () => {
    const rig = await openSyncRig(sandbox, 'cloudinary');
    await rig.emulator?.assets.seed(1_100);
    await rig.emulator?.assets.seed(3, { resourceType: 'raw', publicId: 'raw/{n}' });
    const host = listingThrough(rig.host, (request, call) =>
      call === 3 ? Promise.reject(new HoldfastError('HOST_CURSOR_SPENT')) : rig.host.list(request),
    );
    await rig.worker({ host })({ mode: 'full', runId: 'r' });
    expect(await rig.state.findRun('r')).toMatchObject({ result: 'ok', listed: 1_103, missing: 0 });
    expect((await rig.catalog.counts()).total).toBe(1_103);
  });

  it('S16: waits for the reset of the host without losing an attempt or its place', async () => {
    const rig = await openSyncRig(sandbox, 'cloudinary');
    await rig.emulator?.assets.seed(1_200);
    let now = Date.now();
    const host = listingThrough(rig.host, (request, call) =>
      call === 2
        ? Promise.reject(new HoldfastError('HOST_RATE_LIMITED', undefined, { retryAfterSeconds: 600 }))
        : rig.host.list(request),
    );
    const run = rig.worker({ host, now: () => now });
    const first = await run({ mode: 'full', runId: 'r' }).catch((error: unknown) => error);
    expect(first).toMatchObject({ name: 'HandBack', delayMs: 600_000 });
    const { running } = await rig.state.read();
    expect(running?.run).toMatchObject({
      runId: 'r',
      listed: 500,
      waitingUntil: new Date(now + 600_000).toISOString(),
    });
    // Others wait too.
    await expect(run({ mode: 'incremental', runId: 'other' })).rejects.toMatchObject({ name: 'HandBack' });
    now += 601_000;
    await run({ mode: 'full', runId: 'r' });
    expect(await rig.state.findRun('r')).toMatchObject({ result: 'ok', listed: 1_200, waitingUntil: null });
  });

  it('never overruns the limit of the host, and continues in the next hour', async () => {
    const rig = await openSyncRig(sandbox, 'cloudinary');
    await rig.emulator?.configure({ rateLimitPerHour: 4 });
    await rig.emulator?.assets.seed(2_500);
    let offsetMs = 0;
    const run = rig.worker({ now: () => Date.now() + offsetMs });
    const ends = [];
    for (let hour = 0; hour < 3; hour += 1) {
      ends.push(await run({ mode: 'full', runId: 'r' }).catch((error: unknown) => (error as Error).name));
      offsetMs += 3_600_000;
      await rig.emulator?.configure({ clockOffsetMs: offsetMs });
    }
    expect(ends).toEqual(['HandBack', undefined, undefined]);
    expect(await rig.state.findRun('r')).toMatchObject({ result: 'ok', created: 2_500, errors: 0 });
    const recent = (await rig.emulator?.requests.recent()) ?? [];
    expect(recent.filter((request) => request.status === 420)).toEqual([]);
  });

  it('asks again for a page at which the host stumbled', async () => {
    const rig = await openSyncRig(sandbox, 'cloudinary');
    await rig.emulator?.assets.seed(1_200);
    await rig.emulator?.faults.add({ kind: 'error', skip: 1, count: 2, match: { endpoint: 'list' } });
    expect(await rig.sync()).toMatchObject({ result: 'ok', listed: 1_200, errors: 0 });
  });

  it('counts an attempt for a host that keeps failing, and continues at the same page', async () => {
    const rig = await openSyncRig(sandbox, 'cloudinary');
    await rig.emulator?.assets.seed(1_200);
    await rig.emulator?.faults.add({ kind: 'html', skip: 1, count: 3, match: { endpoint: 'list' } });
    const run = rig.worker();
    await expect(run({ mode: 'full', runId: 'r' })).rejects.toMatchObject({ code: 'HOST_REJECTED' });
    expect((await rig.state.read()).running?.run).toMatchObject({
      listed: 500,
      lastError: { code: 'HOST_REJECTED' },
    });
    await run({ mode: 'full', runId: 'r' }, undefined, 2);
    expect(await rig.state.findRun('r')).toMatchObject({
      result: 'ok',
      listed: 1_200,
      errors: 1,
      lastError: null,
    });
  });

  it('continues a recovery for as long as the host fails, and ends any other run', async () => {
    const rig = await openSyncRig(sandbox, 'cloudinary', { emptied: true });
    await rig.emulator?.assets.seed(600);
    await rig.emulator?.faults.add({ kind: 'error', status: 401, count: null, match: { endpoint: 'list' } });
    let now = Date.now();
    const run = rig.worker({ now: () => now });
    for (let tries = 0; tries < 2; tries += 1) {
      const ended = await run({ trigger: 'recovery', mode: 'full', runId: 'r' }, undefined, 2).catch(
        (error: unknown) => error,
      );
      expect(ended).toMatchObject({ name: 'HandBack', delayMs: 30_000 });
      now += 30_000;
    }
    expect((await rig.state.read()).running?.run).toMatchObject({
      runId: 'r',
      errors: 2,
      lastError: { code: 'HOST_REJECTED' },
    });
    await rig.emulator?.faults.clear();
    await run({ trigger: 'recovery', mode: 'full', runId: 'r' }, undefined, 2);
    expect(await rig.state.findRun('r')).toMatchObject({ result: 'ok', created: 600, lastError: null });

    await rig.emulator?.faults.add({ kind: 'error', status: 401, count: null, match: { endpoint: 'list' } });
    await expect(run({ mode: 'full', runId: 'm' }, undefined, 2)).rejects.toMatchObject({
      code: 'HOST_REJECTED',
    });
    expect(await rig.state.findRun('m')).toMatchObject({ result: 'failed' });
  });

  it('asks again for an emptied catalog long before the time that the host named', async () => {
    const rig = await openSyncRig(sandbox, 'cloudinary', { emptied: true });
    await rig.emulator?.assets.seed(600);
    // After an answer that stated the budget, so that the worker knows the calls are used up.
    await rig.emulator?.faults.add({ kind: 'rate-limit', skip: 1, count: 1, match: { endpoint: 'list' } });
    let now = Date.now();
    const run = rig.worker({ now: () => now });
    const payload = { trigger: 'recovery', mode: 'full', runId: 'r' } as const;
    const ended = await run(payload).catch((error: unknown) => error);
    expect(ended).toBeInstanceOf(HandBack);
    // The host names the next full hour, which may be sooner.
    expect((ended as HandBack).delayMs).toBeLessThanOrEqual(30_000);
    now += 30_000;
    await run(payload);
    expect(await rig.state.findRun('r')).toMatchObject({ result: 'ok', created: 600, errors: 0 });
  });

  it('lets syncs after uploads wait while the calls of the hour run low, and others run', async () => {
    const rig = await openSyncRig(sandbox, 'cloudinary');
    const resetAt = new Date(Date.now() + 600_000).toISOString();
    const host = {
      ...rig.host,
      budget: () => ({ limit: 500, remaining: 140, resetAt, heardAt: Date.now() }),
    };
    const run = rig.worker({ host });
    await run({ trigger: 'upload', mode: 'incremental', runId: 'one' });
    const second = await run({ trigger: 'upload', mode: 'incremental', runId: 'two' }).catch(
      (e: unknown) => e,
    );
    expect(second).toBeInstanceOf(HandBack);
    expect((second as HandBack).delayMs).toBeGreaterThan(590_000);
    await run({ trigger: 'schedule', mode: 'incremental', runId: 'three' });
    expect(await rig.state.findRun('three')).toMatchObject({ result: 'ok' });
    expect((await rig.state.read()).rateLimit).toMatchObject({ remaining: 140 });
  });

  it('decides by age: full when there was none or it is too old, else incremental', async () => {
    const rig = await openSyncRig(sandbox, 'local');
    let now = Date.now();
    const run = rig.worker({ now: () => now });
    const modes = [];
    for (const trigger of ['schedule', 'schedule', 'startup', 'upload', 'manual', 'recovery'] as const) {
      await run({ trigger });
      modes.push((await rig.state.read()).lastRun?.mode);
      now += 60_000;
    }
    now += 24 * 3_600_000;
    await run({ trigger: 'schedule' });
    modes.push((await rig.state.read()).lastRun?.mode);
    expect(modes).toEqual(['full', 'incremental', 'incremental', 'incremental', 'full', 'full', 'full']);
    expect((await rig.state.read()).lastFullRun?.trigger).toBe('schedule');
  });
});

it('keeps what the host said while it is not asked any more', async () => {
  const rig = await openSyncRig(sandbox, 'cloudinary');
  const refusal = { kind: 'error', status: 401, message: 'Unknown API key', count: null } as const;
  await rig.emulator?.faults.add(refusal);
  const run = rig.worker();
  const endOf = (): Promise<unknown> =>
    run({ mode: 'full', runId: 'r' }).then(
      () => null,
      (error: unknown) => error,
    );
  // After some refusals the host is not asked any more.
  let end = await endOf();
  for (let tries = 0; tries < 10 && !(end instanceof HandBack); tries += 1) end = await endOf();
  expect(end).toBeInstanceOf(HandBack);
  const { running } = await rig.state.read();
  expect(running?.run).toMatchObject({
    lastError: { code: 'HOST_REJECTED', message: expect.stringContaining('Unknown API key') as string },
    waitingUntil: expect.any(String) as string,
  });
});
