import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { silentLogger } from '@holdfast/foundation/logging';
import { startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { keepBudget } from '../push-and-remove.js';
import { openSyncRig, type SyncRig, type SyncRigOptions } from '../../test/support/sync-rig.js';

let sandbox: RedisSandbox;
beforeAll(async () => {
  sandbox = await startRedisSandbox();
});
afterAll(() => sandbox.close());

const LIMIT = 500;
const open = (options: SyncRigOptions = {}): Promise<SyncRig> =>
  openSyncRig(sandbox, 'cloudinary', { emulator: { rateLimitPerHour: LIMIT }, ...options });
const metered = new Set(['list', 'list-by-asset-ids', 'search']);
/** What the emulator's last answer to a metered call said. */
const said = async ({ emulator }: SyncRig): Promise<number> => {
  const counters = await emulator?.requests.counters();
  const calls = Object.entries(counters?.byEndpoint ?? {}).filter(([endpoint]) => metered.has(endpoint));
  return LIMIT - calls.reduce((sum, [, count]) => sum + count, 0);
};
const shown = async ({ state }: SyncRig) => (await state.read()).rateLimit?.remaining;

describe('the budget of calls that status shows', () => {
  it('is what the last call of a full run heard, the one that confirms what is missing', async () => {
    const rig = await open();
    const lost = await rig.upload();
    await rig.sync();
    expect(await shown(rig)).toBe(await said(rig));
    await rig.host.remove(lost);
    expect(await rig.sync()).toMatchObject({ missing: 1 });
    expect(await shown(rig)).toBe(await said(rig));
  });

  it('is what an incremental run heard', async () => {
    const rig = await open();
    await rig.sync({ mode: 'incremental' });
    expect(await shown(rig)).toBe(await said(rig));
  });

  it('is what the listing of files heard that follows a snapshot, and a recovery from it', async () => {
    const rig = await open({ env: { CATALOG_SNAPSHOT: 'true' } });
    await rig.upload();
    await rig.sync();
    expect(await shown(rig)).toBe(await said(rig));
    await rig.redis.flushall();
    await rig.upload();
    await rig.sync({ trigger: 'recovery' });
    expect(await shown(rig)).toBe(await said(rig));
  });

  it.each([
    ['is answered with 500', { kind: 'error' }],
    ['is garbage', { kind: 'garbage', effect: 'none' }],
    ['is a page of HTML', { kind: 'html', status: 503 }],
  ] as const)('is what a run heard whose every call %s', async (_case, fault) => {
    const rig = await open();
    await rig.sync();
    await rig.emulator?.faults.add({ ...fault, match: { endpoint: 'list' }, count: null });
    await expect(rig.worker()({ mode: 'full' }, undefined, 2)).rejects.toMatchObject({
      code: 'HOST_REJECTED',
    });
    expect(await shown(rig)).toBe(await said(rig));
  });

  it('is none left where the calls of the hour are used up in the middle of a run', async () => {
    const rig = await open({ emulator: { rateLimitPerHour: 2 } });
    await expect(rig.worker()({ mode: 'full' })).rejects.toMatchObject({ name: 'HandBack' });
    expect(await shown(rig)).toBe(0);
  });

  it('is not what a process heard before another one heard less', async () => {
    const rig = await open();
    await rig.sync();
    const first = rig.host.budget();
    await rig.sync();
    // This worker makes no call: the host it sees fails at once, and knows of the first run only.
    const list = () => Promise.reject(new Error('away'));
    const worker = rig.worker({ host: { ...rig.host, list, budget: () => first } });
    await expect(worker({ mode: 'full' }, undefined, 2)).rejects.toThrow('away');
    expect(await shown(rig)).toBe(await said(rig));
  });

  it('is what a job outside of any run heard, also one that failed', async () => {
    const rig = await open();
    await rig.sync();
    const fails = keepBudget({ host: rig.host, state: rig.state }, async () => {
      await rig.host.confirm(['a'.repeat(32)]);
      throw new Error('failed');
    });
    const context = { signal: new AbortController().signal, attempt: 1, log: silentLogger };
    const payload = { id: 'i', publicId: 'p', resourceType: 'image', round: 0 } as const;
    await expect(fails(payload, context)).rejects.toThrow('failed');
    expect(await shown(rig)).toBe(await said(rig));
  });

  it('is what was heard last where a clock was far ahead once', async () => {
    const rig = await open();
    const ahead = { ...rig.host, budget: () => ({ ...heard, heardAt: Date.now() + 7 * 24 * 3_600_000 }) };
    const heard = { limit: LIMIT, remaining: 3, resetAt: new Date().toISOString() };
    await rig.worker({ host: ahead })({ mode: 'full' });
    expect(await shown(rig)).toBe(3);
    await rig.sync();
    expect(await shown(rig)).toBe(await said(rig));
  });
});
