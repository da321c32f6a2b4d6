import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { onePixelPng, startManagedRedis, startRedisSandbox } from '@holdfast/shared/testing';
import { startApi } from '../../test/support/running-api.js';

describe('while Redis is away', () => {
  it.each(['down', 'paused'])('%s: every status answers in about a second and says so', async (how) => {
    const sandbox = await startRedisSandbox();
    const own = await startApi(sandbox);
    await own.call('GET', '/api/media/health');
    if (how === 'down') await sandbox.kill();
    else sandbox.pause();
    // Nothing tells a process that its server stands still: what was measured before counts for half a second.
    own.deps.redisStates.forget();
    const timed = async (path: string) => {
      const start = performance.now();
      const called = await own.call('GET', path);
      expect(performance.now() - start).toBeLessThan(1_500);
      return called;
    };
    expect(await timed('/api/media/health')).toMatchObject({
      status: 503,
      body: {
        status: 'unhealthy',
        persistence: { testPassed: false },
        storage: { connected: false },
        queues: { available: false },
      },
    });
    expect(await timed('/api/media/database/status')).toMatchObject({
      status: 200,
      body: {
        storage: {
          connected: false,
          connectionTest: expect.stringMatching(/^failed: Redis does not serve: /) as string,
        },
        mediaCount: null,
      },
    });
    expect(await timed('/readyz')).toMatchObject({ status: 503, body: { code: 'QUEUE_UNAVAILABLE' } });
    expect(await timed('/api/media/sync/status')).toMatchObject({
      status: 503,
      body: { code: 'CATALOG_UNAVAILABLE' },
    });
    expect(await timed('/livez')).toMatchObject({ status: 200 });
    if (how === 'down') await sandbox.restart();
    else sandbox.resume();
    await vi.waitFor(async () => expect((await own.call('GET', '/readyz')).status).toBe(200));
    // It reads back over another connection, which may be there a moment later.
    await vi.waitFor(async () =>
      expect((await own.call('GET', '/api/media/health')).body.persistence.level).toBe('fsynced'),
    );
    await own.close();
    await sandbox.close();
  });

  it('reports a wrong password, rather than no answer', async () => {
    const sandbox = await startRedisSandbox();
    await sandbox.client.config('SET', 'requirepass', 'right');
    const own = await startApi({ url: sandbox.url.replace('//', '//:wrong@') });
    const failure = 'Redis does not serve: it refuses the login';
    await vi.waitFor(async () =>
      expect((await own.call('GET', '/api/media/health')).body).toMatchObject({
        status: 'unhealthy',
        persistence: { testPassed: false, message: failure },
      }),
    );
    expect((await own.call('GET', '/api/media/database/status')).body.storage).toMatchObject({
      connected: false,
      connectionTest: `failed: ${failure}`,
      persistenceWarning: expect.stringMatching(/^Redis does not serve: it refuses the login/),
    });
    await own.close();
    await sandbox.close();
  });

  it('does not start on a Redis that lacks what it needs, and reports one that comes later', async () => {
    const redis = await startManagedRedis({ answers: { MULTI: "-ERR unknown command 'MULTI'" } });
    onTestFinished(() => redis.close());
    await expect(startApi(redis)).rejects.toMatchObject({ code: 'REDIS_UNSUITABLE' });
    await redis.configure({ connections: { limit: 0, error: null } });
    const own = await startApi(redis);
    onTestFinished(() => own.close());
    await redis.configure({ connections: null });
    await vi.waitFor(
      async () =>
        expect((await own.call('GET', '/api/media/database/status')).body.storage.findings).toContainEqual(
          expect.objectContaining({ code: 'REDIS_UNSUITABLE', severity: 'error' }),
        ),
      { interval: 100 },
    );
  });

  it('says what to do where a cluster has lost a part of its slots', async () => {
    const said = '-CLUSTERDOWN Hash slot not served';
    const redis = await startManagedRedis({ answers: { EVAL: said, EVALSHA: said } });
    onTestFinished(() => redis.close());
    const own = await startApi(redis);
    onTestFinished(() => own.close());
    const { status, body } = await own.call('GET', '/api/media/health');
    expect([status, body.status]).toEqual([503, 'unhealthy']);
    expect(body.storage.findings).toContainEqual(
      expect.objectContaining({
        code: 'WRITES_REFUSED',
        fix: expect.stringContaining('CLUSTER INFO') as string,
      }),
    );
  });

  it('says that a server is not a cluster, where one is set', async () => {
    const sandbox = await startRedisSandbox();
    onTestFinished(() => sandbox.close());
    const own = await startApi({ url: '' }, { REDIS_CLUSTER_NODES: sandbox.url.replace(/\/0$/, '') });
    onTestFinished(() => own.close());
    await vi.waitFor(async () =>
      expect((await own.call('GET', '/api/media/health')).body.storage).toMatchObject({
        connectionTest: 'failed: Redis does not serve: it is not a node of a cluster',
        findings: expect.arrayContaining([
          expect.objectContaining({ fix: 'Set REDIS_URL instead of REDIS_CLUSTER_NODES.' }),
        ]) as unknown,
      }),
    );
  });

  it('says that the user of Redis has no right to our keys', async () => {
    const sandbox = await startRedisSandbox();
    onTestFinished(() => sandbox.close());
    await sandbox.client.call('ACL', 'SETUSER', 'poor', 'on', '>pw', '~other*', '&*', '+@all');
    const own = await startApi({ url: sandbox.url.replace('//', '//poor:pw@') });
    onTestFinished(() => own.close());
    const message = 'Redis does not serve: its user has no right to a command, or to our keys';
    await vi.waitFor(async () =>
      expect((await own.call('GET', '/api/media/health')).body).toMatchObject({
        status: 'unhealthy',
        persistence: { testPassed: false, message },
      }),
    );
  });

  it('says which commands an upload needs and the user of Redis may not call', async () => {
    const sandbox = await startRedisSandbox();
    onTestFinished(() => sandbox.close());
    await sandbox.client.call('ACL', 'SETUSER', 'part', 'on', '>pw', '~*', '&*', '+@all', '-time', '-xadd');
    const own = await startApi({ url: sandbox.url.replace('//', '//part:pw@') });
    onTestFinished(() => own.close());
    const health = await own.call('GET', '/api/media/health');
    expect(health.status).toBe(503);
    expect(health.body.storage.findings).toContainEqual(
      expect.objectContaining({
        code: 'RIGHTS_MISSING',
        message: 'The user of Redis has no right to TIME, XADD. Uploads are refused.',
      }),
    );
    expect((await own.call('GET', '/readyz')).body).toMatchObject({ code: 'QUEUE_UNAVAILABLE' });
    const body = new FormData();
    body.set('file', new Blob([onePixelPng]), 'a.png');
    const upload = await own.request('/api/media/upload', { method: 'POST', body });
    expect(await upload.json()).toMatchObject({ status: 503, code: 'QUEUE_UNAVAILABLE' });
    await sandbox.client.call('ACL', 'SETUSER', 'part', '+time', '+xadd');
    await vi.waitFor(async () => expect((await own.call('GET', '/readyz')).status).toBe(200));
    expect((await own.call('GET', '/api/media/health')).body).toMatchObject({
      persistence: { testPassed: true },
    });
  });

  it('reports a replica, rather than no answer', async () => {
    const sandbox = await startRedisSandbox();
    const own = await startApi(sandbox);
    await sandbox.client.call('REPLICAOF', '127.0.0.1', '1');
    const failure = 'Redis refuses writes: it is a replica now, and Holdfast is looking for the master';
    const storage = {
      connected: true,
      connectionTest: `failed: ${failure}`,
      findings: expect.arrayContaining([expect.objectContaining({ code: 'WRITES_REFUSED' })]),
    };
    // Again and again: each refusal opens a new connection, and in between there is none to ask.
    for (let time = 0; time < 10; time += 1) {
      expect(await own.call('GET', '/api/media/health')).toMatchObject({
        status: 503,
        body: { status: 'unhealthy', persistence: { testPassed: false, message: failure }, storage },
      });
      expect((await own.call('GET', '/api/media/database/status')).body.storage).toMatchObject(storage);
    }
    await sandbox.client.call('REPLICAOF', 'NO', 'ONE');
    await vi.waitFor(async () =>
      expect((await own.call('GET', '/api/media/health')).body.persistence.testPassed).toBe(true),
    );
    await own.close();
    await sandbox.close();
  });

  it('the API starts all the same', async () => {
    const sandbox = await startRedisSandbox();
    await sandbox.kill();
    const own = await startApi(sandbox);
    expect((await own.call('GET', '/readyz')).status).toBe(503);
    await sandbox.restart();
    await vi.waitFor(async () => expect((await own.call('GET', '/readyz')).status).toBe(200));
    await own.close();
    await sandbox.close();
  });
});
