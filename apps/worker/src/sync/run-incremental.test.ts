import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { openSyncRig, type HostKind } from '../../test/support/sync-rig.js';

let sandbox: RedisSandbox;
beforeAll(async () => {
  sandbox = await startRedisSandbox();
});
afterAll(() => sandbox.close());

describe.each<HostKind>(['local', 'cloudinary'])('an incremental sync (%s)', (kind) => {
  it('finds what is new and what was edited, and concludes nothing from absence', async () => {
    const rig = await openSyncRig(sandbox, kind);
    const edited = await rig.foreign('others/edited', { title: 'One' });
    const gone = await rig.foreign('others/gone');
    await rig.sync();
    const added = await rig.upload();
    await rig.host.annotate(edited, { context: { title: 'Two' }, tags: [] });
    await rig.host.remove(gone);
    const run = await rig.sync({ mode: 'incremental', trigger: 'schedule' });
    expect(run).toMatchObject({ mode: 'incremental', result: 'ok', created: 1, updated: 1, missing: 0 });
    expect(await rig.find(added)).toMatchObject({ status: 'verified', source: 'upload' });
    expect(await rig.find(edited)).toMatchObject({ title: 'Two' });
    expect(await rig.find(gone)).toMatchObject({ status: 'verified' });
  });

  it('moves its mark only when it ends', async () => {
    const rig = await openSyncRig(sandbox, kind);
    await rig.sync();
    const before = await rig.state.readMarks();
    const failing = { ...rig.host, changes: () => Promise.reject(new Error('no answer')) };
    await expect(
      rig.worker({ host: failing })({ mode: 'incremental', runId: 'r' }, undefined, 2),
    ).rejects.toThrow('no answer');
    expect(await rig.state.readMarks()).toEqual(before);
    const run = await rig.sync({ mode: 'incremental' });
    const { watermark } = await rig.state.readMarks();
    // The host's clock has whole seconds, so it may seem to be late.
    expect(Date.parse(run.startedAt) - Date.parse(watermark ?? '')).toBeLessThanOrEqual(1_000);
    expect(watermark?.localeCompare(before.watermark ?? '')).toBe(1);
  });

  it.each(['full', 'incremental'] as const)(
    'marks where a %s run began by the clock of the host, not by its own',
    async (mode) => {
      const rig = await openSyncRig(sandbox, kind);
      const ahead = 20 * 60_000;
      const host = { ...rig.host, hostNow: () => Date.now() };
      await rig.worker({ host, now: () => Date.now() + ahead })({ mode, runId: 'ahead' });
      const { watermark, lookedAt } = await rig.state.readMarks();
      for (const mark of [watermark, lookedAt])
        expect(Date.parse(mark ?? '')).toBeLessThan(Date.now() + 1_000);
    },
  );

  it('marks so also where another worker goes on with the run', async () => {
    const rig = await openSyncRig(sandbox, kind);
    const host = { ...rig.host, hostNow: () => Date.now() };
    let asked = 0;
    const failing = {
      ...host,
      list: (request: Parameters<typeof host.list>[0]) => {
        asked += 1;
        return asked < 3 ? host.list(request) : Promise.reject(new Error('no answer'));
      },
    };
    const begin = rig.worker({ host: failing, now: () => Date.now() + 20 * 60_000 });
    await expect(begin({ mode: 'full', runId: 'left' })).rejects.toThrow('no answer');
    await rig.worker({ host })({ mode: 'full', runId: 'left' });
    const { watermark } = await rig.state.readMarks();
    expect(Date.parse(watermark ?? '')).toBeLessThan(Date.now() + 1_000);
  });
});

describe('an incremental sync of a large host', () => {
  it('takes one call when little changed', async () => {
    const rig = await openSyncRig(sandbox, 'cloudinary');
    await rig.emulator?.assets.seed(1_500);
    await rig.sync();
    await rig.foreign('others/new');
    expect(await rig.sync({ mode: 'incremental' })).toMatchObject({ created: 1, listed: 1, hostCalls: 1 });
  });

  it('finds everything where no run was before', async () => {
    const rig = await openSyncRig(sandbox, 'cloudinary');
    await rig.emulator?.assets.seed(700);
    expect(await rig.sync({ mode: 'incremental' })).toMatchObject({ created: 700, hostCalls: 2 });
  });
});
