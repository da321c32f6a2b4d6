import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { groupFiles, snapshotPrefix } from '@holdfast/shared/snapshot';
import { startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { openSyncRig, type SyncRig } from '../../test/support/sync-rig.js';

let sandbox: RedisSandbox;
beforeAll(async () => {
  sandbox = await startRedisSandbox();
});
afterAll(() => sandbox.close());

const open = (): Promise<SyncRig> =>
  openSyncRig(sandbox, 'cloudinary', { env: { CATALOG_SNAPSHOT: 'true' } });

describe('a recovery', () => {
  it('continues after it was killed in the middle', async () => {
    const rig = await open();
    const { emulator } = rig;
    if (emulator === undefined) throw new Error('no emulator');
    await emulator.assets.seed(1_200);
    await rig.worker({ snapshotPartBytes: 5_000 })({ mode: 'full' });
    const prefix = snapshotPrefix(rig.settings.host.folder);
    const [newest] = groupFiles(rig.settings.host.folder, await rig.host.listFiles(prefix));
    expect(newest?.parts.length).toBeGreaterThan(2);
    await rig.redis.flushall();

    const stopping = new AbortController();
    const isKilled = { ...rig.host, readFile: dieAtPart(rig, stopping) };
    const killed = rig.worker({ host: isKilled })(
      { trigger: 'recovery', mode: 'full', runId: 'r' },
      stopping.signal,
    );
    await expect(killed).rejects.toMatchObject({ name: 'HandBack' });
    const half = await rig.catalog.counts();
    expect(half.total).toBeGreaterThan(0);
    expect(half.total).toBeLessThan(1_200);

    await rig.worker()({ trigger: 'recovery', mode: 'full', runId: 'r' });
    const run = await rig.state.findRun('r');
    expect(run).toMatchObject({ result: 'ok', listed: 1_200, errors: 0 });
    expect(run?.findings.find(({ code }) => code === 'SNAPSHOT_RESTORED')).toMatchObject({ count: 1_200 });
    expect(await rig.catalog.counts()).toMatchObject({ total: 1_200, byStatus: { verified: 1_200 } });
  });
});

function dieAtPart({ host }: SyncRig, stopping: AbortController): SyncRig['host']['readFile'] {
  return async (name, ...rest) => {
    if (name.endsWith('.part-0003')) stopping.abort(new Error('killed'));
    return host.readFile(name, ...rest);
  };
}
