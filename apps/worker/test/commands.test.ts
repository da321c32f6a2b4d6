import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { checkConfig } from '../src/commands/check-config.js';
import { rebuildIndexes, restore, snapshot } from '../src/commands/catalog-commands.js';
import { snapshotPrefix } from '@holdfast/shared/snapshot';
import { createSyncState } from '@holdfast/shared/sync';
import { newMediaId } from '@holdfast/shared/media';
import { aRecord } from '@holdfast/shared/testing';
import { openBench, type Bench } from './support/start-worker.js';

const never = new AbortController().signal;
let bench: Bench;
beforeAll(async () => {
  bench = await openBench();
});
afterAll(() => bench.close());

/** As after a sync that has seen the whole host. */
const synced = () =>
  bench.sandbox.client.hset(bench.keys.syncState, 'lastFullAt', '2026-01-01T00:00:00.000Z');

describe('the commands', () => {
  it('write a snapshot and bring it back, with a sync of what came later', async () => {
    const ids = [newMediaId(), newMediaId()];
    for (const id of ids) await bench.catalog.save(aRecord({ id }));
    await synced();
    const taken = await snapshot.run(bench.env, {}, never);
    expect(taken).toMatchObject({ exitCode: 0, report: { snapshot: { records: 2 } } });
    await bench.sandbox.client.flushall();

    const { exitCode, report } = await restore.run(bench.env, {}, never);
    expect(exitCode).toBe(0);
    expect(report).toMatchObject({ restored: { records: 2, written: 2, unproven: 0 }, refused: [] });
    for (const id of ids) expect((await bench.catalog.find(id))?.status).toBe('verified');
    const job = await bench.queues.queues.sync.getJob(`sync-${String(report['syncRunId'])}`);
    expect(job?.data).toMatchObject({ mode: 'incremental', trigger: 'manual' });
    const state = createSyncState(bench.sandbox.client, bench.keys);
    expect((await state.read()).watermark).toBe((await state.read()).snapshot?.at);
  });

  it('write none of a catalog that may lack what the last one has', async () => {
    await bench.sandbox.client.hdel(bench.keys.syncState, 'lastFullAt');
    const files = () => bench.host.listFiles(snapshotPrefix('holdfast'));
    const before = await files();
    await expect(snapshot.run(bench.env, {}, never)).rejects.toMatchObject({ code: 'CATALOG_REBUILDING' });
    expect(await files()).toEqual(before);
  });

  it('make the indexes fit the records', async () => {
    const record = aRecord({ category: 'odd' });
    await bench.catalog.save(record);
    await bench.sandbox.client.del(bench.keys.byCategory('odd'));
    expect(await rebuildIndexes.run(bench.env, {}, never)).toMatchObject({
      exitCode: 0,
      report: { added: 1, dropped: 0 },
    });
    const { items } = await bench.catalog.list({ limit: 10, order: 'newest', category: 'odd' });
    expect(items.map(({ id }) => id)).toEqual([record.id]);
  });

  it('wait for a running sync', async () => {
    await synced();
    const state = createSyncState(bench.sandbox.client, bench.keys);
    const { token } = await state.begin();
    const taken = snapshot.run(bench.env, {}, never);
    const ended = vi.fn<() => void>();
    void taken.then(ended, ended);
    await vi.waitFor(async () => {
      const clients = String(await bench.sandbox.client.client('LIST'));
      expect(clients).toContain('cmd=evalsha');
    });
    expect(ended).not.toHaveBeenCalled();
    await state.release(token ?? '');
    expect(await taken).toMatchObject({ exitCode: 0 });
  });

  it('say that there is nothing to restore', async () => {
    const env = { ...bench.env, CLOUDINARY_FOLDER: 'another' };
    expect(await restore.run(env, {}, never)).toMatchObject({
      exitCode: 1,
      report: { restored: null, refused: [] },
    });
  });

  it.each(['rebuildIndexes', 'restore', 'snapshot'] as const)(
    'do not connect to a Redis that is not configured (%s)',
    async (name) => {
      const env = { ...bench.env, REDIS_URL: '' };
      await expect({ rebuildIndexes, restore, snapshot }[name].run(env, {}, never)).rejects.toMatchObject({
        code: 'CONFIG_INVALID',
        errors: [{ path: 'REDIS_URL', message: expect.stringContaining('npm start') }],
      });
    },
  );

  it('check the settings, and show no secret', async () => {
    const secret = 'a-long-secret-of-somebody';
    const env = {
      ...bench.env,
      API_KEYS: `web:write:${secret}`,
      REDIS_URL: `redis://:${secret}@localhost:1`,
    };
    const { exitCode, report, text } = await checkConfig.run(env, {}, never);
    expect(exitCode).toBe(0);
    expect(JSON.stringify(report) + text).not.toContain(secret);
    expect(report).toMatchObject({ unread: [] });
    const secrets = {
      CLOUDINARY_URL: `cloudinary://k:${secret}@c`,
      CLOUDINARY_WEBHOOK_SECRETS: `${secret}-for-hooks`,
    };
    const { report: counted, text: shown } = await checkConfig.run({ ...env, ...secrets }, {}, never);
    expect(counted).toMatchObject({ host: 'cloudinary', cloudName: 'c', webhookSecrets: 1 });
    expect(shown).toMatch(/host +cloudinary\n +cloudName +c\n +webhookSecrets +1\n/);
    expect(JSON.stringify(counted) + shown).not.toContain(secret);
    expect(report).toMatchObject({ redis: 'Redis at localhost:1', tls: false });
    const upstash = { REDIS_URL: `rediss://default:${secret}@eu1-x.upstash.io:6379` };
    const rented = await checkConfig.run({ ...env, ...upstash }, {}, never);
    expect(rented.report).toMatchObject({ redis: 'Redis at eu1-x.upstash.io:6379', tls: true });
    expect(JSON.stringify(rented)).not.toContain(secret);
    const nodes = { REDIS_URL: '', REDIS_CLUSTER_NODES: `redis://:${secret}@a:1,[::1]:2` };
    const cluster = await checkConfig.run({ ...env, ...nodes }, {}, never);
    expect(cluster.text).toContain('The Redis Cluster of a:1, [::1]:2');
    expect(JSON.stringify(cluster)).not.toContain(secret);
    const slip = await checkConfig.run({ ...env, UPLOAD_MAX_BYTE: '5' }, {}, never);
    expect(slip.report).toMatchObject({ unread: [{ name: 'UPLOAD_MAX_BYTE', meant: 'UPLOAD_MAX_BYTES' }] });
    const wrong = { ...env, PORT: 'many', HOST: '0.0.0.0', API_KEYS: '' };
    expect(() => checkConfig.run(wrong, {}, never)).toThrow('The configuration is not valid');
  });
});
