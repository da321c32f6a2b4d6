import { expect, it, onTestFinished, vi } from 'vitest';
import { onePixelPng, startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { startApi, type RunningApi } from '../../test/support/running-api.js';

/** An API on a rented Redis that bills commands, with a worker, and so healthy. */
async function rented(): Promise<{ api: RunningApi; redis: RedisSandbox }> {
  const redis = await startRedisSandbox();
  onTestFinished(() => redis.close());
  const api = await startApi(redis, { REDIS_PROFILE: 'upstash', DATA_DIR: '/var/tmp' });
  onTestFinished(() => api.close());
  await redis.client.zadd(api.deps.keys.workers, Date.now() + 600_000, 'a worker');
  await redis.client.set(api.deps.keys.epoch, Date.now());
  await vi.waitFor(() => expect(api.deps.rebuilding.knownEpoch()).not.toBeNull(), { timeout: 20_000 });
  return { api, redis };
}

const health = async (api: RunningApi) => (await api.call('GET', '/api/media/health')).body;

/** What clients send to this server while `work` runs, by name; scripts count once, as they are sent. */
async function sentBy(redis: RedisSandbox, work: () => Promise<unknown>): Promise<string[]> {
  const opener = redis.client.duplicate();
  const watcher = await opener.monitor();
  opener.disconnect();
  const names: string[] = [];
  let isOver = false;
  watcher.on('monitor', (_at: string, [name = '', ...operands]: string[], source: string) => {
    if (operands.includes('the end')) isOver = true;
    else if (source !== 'lua') names.push(name.toLowerCase());
  });
  await work();
  await redis.client.echo('the end');
  await vi.waitFor(() => expect(isOver).toBe(true));
  watcher.disconnect();
  return names;
}

it('measures health with three commands, and answers from it for as long as nothing happens', async () => {
  const { api, redis } = await rented();
  // The first poll loads the scripts.
  await Promise.all([health(api), api.call('GET', '/readyz')]);
  api.deps.redisStates.forget();
  const first = await sentBy(redis, async () =>
    expect(await health(api)).toMatchObject({ status: 'healthy' }),
  );
  expect(first).toEqual(['evalsha', 'getdel', 'waitaof']);
  const { measuredAt } = await health(api);
  expect(Date.now() - Date.parse(measuredAt)).toBeLessThan(60_000);
  const polls = await sentBy(redis, async () => {
    for (let poll = 0; poll < 5; poll += 1) expect((await health(api)).measuredAt).toBe(measuredAt);
    expect((await api.call('GET', '/readyz')).status).toBe(200);
    expect((await api.call('GET', '/readyz')).status).toBe(200);
  });
  expect(polls).toEqual([]);
});

it('shares no result for longer than a minute', async () => {
  const { api } = await rented();
  const { measuredAt } = await health(api);
  const now = performance.now();
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => now + 59_000);
  onTestFinished(() => clock.mockRestore());
  expect((await health(api)).measuredAt).toBe(measuredAt);
  clock.mockImplementation(() => now + 61_000);
  expect((await health(api)).measuredAt).not.toBe(measuredAt);
});

it('reports a worker that registered a moment after the first measurement', async () => {
  const { api, redis } = await rented();
  await redis.client.del(api.deps.keys.workers);
  api.deps.redisStates.forget();
  expect(await health(api)).toMatchObject({ status: 'degraded' });
  await redis.client.zadd(api.deps.keys.workers, Date.now() + 600_000, 'a worker');
  await vi.waitFor(async () => expect(await health(api)).toMatchObject({ status: 'healthy' }));
});

it('never reports a healthy state from before Redis was lost', async () => {
  const { api, redis } = await rented();
  expect(await health(api)).toMatchObject({ status: 'healthy' });
  expect((await api.call('GET', '/readyz')).status).toBe(200);
  await redis.kill();
  await vi.waitFor(async () => expect((await api.call('GET', '/api/media/health')).status).toBe(503));
  expect((await api.call('GET', '/readyz')).status).toBe(503);
});

it('measures again after a failure that a client met', async () => {
  const { api, redis } = await rented();
  expect(await health(api)).toMatchObject({ status: 'healthy' });
  // Nothing tells an idle process that its server takes no writes.
  await redis.client.config('SET', 'maxmemory', '1');
  expect((await api.call('GET', '/api/media/health')).status).toBe(200);
  const form = new FormData();
  form.set('file', new Blob([onePixelPng], { type: 'image/png' }), 'b.png');
  expect((await api.request('/api/media/upload', { method: 'POST', body: form })).status).toBe(503);
  await vi.waitFor(async () => expect((await api.call('GET', '/api/media/health')).status).toBe(503));
  expect((await api.call('GET', '/readyz')).status).toBe(503);
  await redis.client.config('SET', 'maxmemory', '0');
  await vi.waitFor(async () => expect((await api.call('GET', '/api/media/health')).status).toBe(200));
});

it('keeps sharing after requests that change nothing', async () => {
  const { api } = await rented();
  const { measuredAt } = await health(api);
  const refused = [
    await api.call('POST', '/livez'),
    await api.call('DELETE', '/api/media/unknown'),
    await api.call('OPTIONS', '/api/media/health'),
  ];
  expect(refused.map(({ status }) => status)).toEqual([405, 404, 204]);
  expect((await health(api)).measuredAt).toBe(measuredAt);
});

it('shares a bad result, too', async () => {
  const { api, redis } = await rented();
  await redis.client.config('SET', 'maxmemory', '1');
  api.deps.redisStates.forget();
  const now = performance.now();
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => now);
  onTestFinished(() => clock.mockRestore());
  const bad = await health(api);
  expect(bad.status).toBe('unhealthy');
  expect((await health(api)).measuredAt).toBe(bad.measuredAt);
  await redis.client.config('SET', 'maxmemory', '0');
});

it('shares results for half a second on a server of our own', async () => {
  const redis = await startRedisSandbox();
  onTestFinished(() => redis.close());
  const api = await startApi(redis);
  onTestFinished(() => api.close());
  const { measuredAt } = await health(api);
  const now = performance.now();
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => now + 600);
  onTestFinished(() => clock.mockRestore());
  expect((await health(api)).measuredAt).not.toBe(measuredAt);
});

it.each(['/api/media/database/status', '/metrics'])(
  'measures %s once for a crowd, and for those who ask again within half a second',
  async (path) => {
    const redis = await startRedisSandbox();
    onTestFinished(() => redis.close());
    const api = await startApi(redis);
    onTestFinished(() => api.close());
    // The first answer loads the scripts, and looks at the server.
    await api.call('GET', path);
    const now = performance.now();
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => now);
    onTestFinished(() => clock.mockRestore());
    api.deps.redisStates.forget();
    const many = await sentBy(redis, async () => {
      for (let turn = 0; turn < 10; turn += 1)
        await Promise.all(Array.from({ length: 10 }, () => api.call('GET', path)));
    });
    // One measurement, and what the API asks by itself meanwhile. A hundred measurements send at least 200 commands.
    expect(many.length).toBeLessThan(20);
    const later = await sentBy(redis, () => {
      clock.mockImplementation(() => now + 600);
      return api.call('GET', path);
    });
    expect(later.length).toBeGreaterThan(0);
  },
);
