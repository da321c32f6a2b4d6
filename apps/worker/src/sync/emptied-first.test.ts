import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HoldfastError } from '@holdfast/foundation/errors';
import { HandBack, syncJob } from '@holdfast/shared/jobs';
import type { MediaHost } from '@holdfast/shared/media-host';
import { removeRecord } from '@holdfast/shared/removal';
import { startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { lasting, openSyncRig, type SyncRig } from '../../test/support/sync-rig.js';

let sandbox: RedisSandbox;
beforeAll(async () => {
  sandbox = await startRedisSandbox();
});
afterAll(() => sandbox.close());

const open = (): Promise<SyncRig> =>
  openSyncRig(sandbox, 'cloudinary', { env: { CATALOG_SNAPSHOT: 'true' } });

describe('on an emptied catalog', () => {
  it.each([
    ['asked for by a person', { trigger: 'manual', mode: 'incremental' }],
    ['after an upload', { trigger: 'upload', mode: 'incremental' }],
    ['of the schedule', { trigger: 'schedule', mode: 'incremental' }],
  ] as const)(
    'the first sync %s is the recovery, with what only the snapshot knows',
    async (_what, payload) => {
      const rig = await open();
      const [stays, lost, deleted] = [await rig.upload(), await rig.upload(), await rig.upload()];
      await rig.sync();
      await rig.host.remove(lost);
      await rig.sync();
      const before = await rig.find(lost);
      expect(before?.status).toBe('missing');
      const record = rig.recordOf(deleted);
      await rig.catalog.beginDelete(record.id);
      await removeRecord(rig, record, AbortSignal.timeout(5_000));
      await rig.redis.flushall();

      const run = await rig.sync(payload);
      expect(run).toMatchObject({ trigger: 'recovery', mode: 'full', result: 'ok' });
      expect(run.findings.map(({ code }) => code)).toEqual(
        expect.arrayContaining(['CATALOG_REBUILDING', 'SNAPSHOT_RESTORED']),
      );
      expect((await rig.find(stays))?.status).toBe('verified');
      const after = await rig.find(lost);
      expect(after?.status).toBe('missing');
      expect(lasting(after)).toEqual(lasting(before));
      expect(await rig.find(deleted)).toBeNull();
      expect(await rig.catalog.isTombstoned(record.id)).toBe(true);
      // The watch has nothing to ask for, and what it had asked for is done.
      expect(await rig.redis.exists(rig.keys.epoch)).toBe(1);
      await rig.worker()({ trigger: 'recovery', mode: 'full', runId: 'asked-for' });
      expect(await rig.state.findRun('asked-for')).toBeNull();
      expect(await rig.sync({ trigger: 'manual', mode: 'incremental' })).toMatchObject({
        trigger: 'manual',
        mode: 'incremental',
      });
    },
  );

  it('a recovery is followed by a look for what no listing showed yet', async () => {
    let hidden = '';
    const rig = await openSyncRig(sandbox, 'cloudinary', {
      emptied: true,
      seenBy: (host) => ({
        ...host,
        list: async (request) => {
          const page = await host.list(request);
          return { ...page, assets: page.assets.filter(({ publicId }) => publicId !== hidden) };
        },
      }),
    });
    const late = await rig.upload();
    hidden = late.publicId;
    expect(await rig.sync()).toMatchObject({ trigger: 'recovery', listed: 0 });
    expect(await rig.find(late)).toBeNull();

    const asked = await rig.queues.queues.sync.getDelayed();
    expect(asked.map(({ data, opts }) => [data.trigger, data.mode, opts.delay])).toEqual([
      ['startup', 'incremental', 30_000],
    ]);
    await rig.sync(syncJob.parse(asked[0]?.data));
    expect((await rig.find(late))?.status).toBe('verified');
    // Other runs ask for none.
    await asked[0]?.remove();
    await rig.sync();
    expect(await rig.queues.queues.sync.getDelayedCount()).toBe(0);
  });

  it('a recovery loses no attempt to a Redis that does not answer', async () => {
    const rig = await open();
    await rig.redis.flushall();
    const silent = Object.create(rig.redis, {
      set: { value: () => Promise.reject(new Error('Command timed out')) },
    }) as typeof rig.redis;
    const run = rig.worker({ redis: silent })({ trigger: 'recovery', mode: 'full', runId: 'r' });
    await expect(run).rejects.toMatchObject({ code: 'CATALOG_UNAVAILABLE' });
    expect((await rig.state.read()).running?.run.errors).toBe(0);
  });

  it('a sync after an upload does not wait for an hour that the host names', async () => {
    const rig = await open();
    await rig.upload();
    await rig.sync();
    await rig.redis.flushall();
    await rig.emulator?.faults.add({ kind: 'rate-limit', count: null });
    const ended = rig.worker()({ trigger: 'upload', mode: 'incremental', runId: 'waits' });
    const error: unknown = await ended.then(
      () => null,
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(HandBack);
    expect((error as HandBack).delayMs).toBeLessThanOrEqual(30_000);
  });

  it('a recovery that another job has finished is not run once more', async () => {
    const rig = await open();
    await rig.upload();
    await rig.sync();
    await rig.redis.flushall();
    const { host, stopping } = stoppedAtItsListing(rig);
    const cutOff = rig.worker({ host })({ trigger: 'upload', runId: 'first' }, stopping.signal);
    await expect(cutOff).rejects.toBeInstanceOf(HandBack);
    await rig.worker()({ trigger: 'recovery', mode: 'full', runId: 'asked-for' });
    expect(await rig.state.findRun('first')).toMatchObject({ trigger: 'recovery', result: 'ok' });
    expect(await rig.state.findRun('asked-for')).toBeNull();
  });

  it('a schedule whose run was the recovery, and was cut off, runs no other one after it', async () => {
    const rig = await open();
    await rig.upload();
    await rig.sync();
    await rig.redis.flushall();
    const { host, stopping } = stoppedAtItsListing(rig);
    const cutOff = rig.worker({ host })({ trigger: 'schedule' }, stopping.signal);
    await expect(cutOff).rejects.toBeInstanceOf(HandBack);
    await rig.worker()({ trigger: 'schedule' });
    expect((await rig.state.read()).lastRun).toMatchObject({ trigger: 'recovery', result: 'ok' });
  });

  it('a recovery continues later, whatever made it fail', async () => {
    const rig = await open();
    await rig.upload();
    await rig.sync();
    await rig.redis.flushall();
    const host: MediaHost = { ...rig.host, list: () => Promise.reject(new TypeError('a bug')) };
    const lastAttempt = rig.worker({ host })(
      { trigger: 'recovery', mode: 'full', runId: 'r' },
      undefined,
      rig.settings.jobs.attempts,
    );
    await expect(lastAttempt).rejects.toBeInstanceOf(HandBack);
    expect((await rig.state.read()).running?.run).toMatchObject({
      runId: 'r',
      lastError: { code: 'INTERNAL' },
    });
  });

  it('a dry run stays one, and is not taken for a recovery', async () => {
    const rig = await open();
    await rig.upload();
    await rig.sync();
    await rig.redis.flushall();
    expect(await rig.sync({ trigger: 'manual', dryRun: true })).toMatchObject({
      trigger: 'manual',
      dryRun: true,
    });
    expect((await rig.state.read()).lastFullAt).toBeNull();
  });
});

/** A worker that gets the signal to stop when it begins to list the host. */
function stoppedAtItsListing(rig: SyncRig): { host: MediaHost; stopping: AbortController } {
  const stopping = new AbortController();
  const list: MediaHost['list'] = () => {
    stopping.abort();
    return Promise.reject(new HoldfastError('HOST_TIMEOUT'));
  };
  return { host: { ...rig.host, list }, stopping };
}
