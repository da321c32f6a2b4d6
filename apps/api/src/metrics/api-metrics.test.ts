import { readFile } from 'node:fs/promises';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { aPng, upload } from '../../test/support/api-pair.js';
import { startApi, type RunningApi } from '../../test/support/running-api.js';

let redis: RedisSandbox;
let api: RunningApi;

beforeEach(async () => {
  redis = await startRedisSandbox();
  api = await startApi(redis);
});

afterEach(async () => {
  await api.close();
  await redis.close();
});

async function scrape(): Promise<string> {
  const response = await api.request('/metrics');
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
  return response.text();
}

/** Value of one series, given as `name{labels}` in the order in which they are declared. */
const valueOf = (text: string, series: string): number | undefined => {
  const line = text.split('\n').find((each) => each.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.slice(series.length + 1));
};

it('counts requests by the path of the route, never by the requested path', async () => {
  const { id } = await api.addMedia();
  await api.call('GET', `/api/media/${id}`);
  await api.call('GET', '/api/media/01K00000000000000000000000');
  await api.call('PUT', `/api/media/${id}`);
  await api.call('GET', '/some/where/else');
  const text = await scrape();
  const count = (labels: string) => valueOf(text, `holdfast_http_requests_total{${labels}}`);
  expect(count('method="GET",route="/api/media/:id",status="200"')).toBe(1);
  expect(count('method="GET",route="/api/media/:id",status="404"')).toBe(1);
  expect(count('method="PUT",route="/api/media/:id",status="405"')).toBe(1);
  expect(count('method="GET",route="none",status="404"')).toBe(1);
  expect(text).toContain(
    'holdfast_http_request_duration_seconds_count{method="GET",route="/api/media/:id"} 2',
  );
  expect(valueOf(text, 'holdfast_http_problems_total{route="/api/media/:id",code="MEDIA_NOT_FOUND"}')).toBe(
    1,
  );
  expect(text).not.toContain(id);
  expect(text).not.toContain('/some/where');
});

it('counts uploads by outcome, what the host did with them, and the jobs that wait', async () => {
  const data = aPng(5_000);
  await upload(api, data, { key: 'k' });
  await upload(api, data, { key: 'k' });
  await upload(api, Buffer.from('no media at all'));
  const text = await scrape();
  for (const outcome of ['accepted', 'replayed', 'refused'])
    expect(valueOf(text, `holdfast_uploads_total{outcome="${outcome}"}`)).toBe(1);
  expect(valueOf(text, 'holdfast_uploads_total{outcome="aborted"}')).toBe(0);
  expect(valueOf(text, 'holdfast_host_stored_bytes_total')).toBe(5_000);
  expect(valueOf(text, 'holdfast_host_calls_total{call="put",outcome="ok"}')).toBe(1);
  expect(valueOf(text, 'holdfast_queue_jobs{queue="save",state="waiting"}')).toBe(1);
  expect(valueOf(text, 'holdfast_media{status="saving"}')).toBe(1);
  expect(valueOf(text, 'holdfast_uploads_in_flight')).toBe(0);
  expect(valueOf(text, 'holdfast_findings{code="NO_WORKER",severity="warning"}')).toBe(1);
  expect(valueOf(text, 'holdfast_redis_up')).toBe(1);
  expect(valueOf(text, 'process_resident_memory_bytes')).toBeGreaterThan(10_000_000);
});

it('has no metric that docs/operations.md does not list', async () => {
  const told = await readFile(new URL('../../../../docs/operations.md', import.meta.url), 'utf8');
  const names = [...(await scrape()).matchAll(/^# TYPE (holdfast_\w+) /gm)].map(([, name = '']) => name);
  expect(names.length).toBeGreaterThan(15);
  expect(names.filter((name) => !told.includes(`\`${name}\``))).toEqual([]);
});

it('shows how many calls the host had left at the last call of a worker, until it grants new ones', async () => {
  const remaining = async (resetAt: number) => {
    const budget = { limit: 500, remaining: 321, resetAt: new Date(resetAt).toISOString() };
    await redis.client.hset(api.deps.keys.syncState, 'rateLimit', JSON.stringify(budget));
    api.deps.redisStates.forget();
    return valueOf(await scrape(), 'holdfast_host_budget_remaining');
  };
  expect(await remaining(Date.now() + 60_000)).toBe(321);
  expect(await remaining(Date.now() - 1)).toBeUndefined();
});

it('reports a Redis that accepts no writes, although reads work', async () => {
  const refused = 'holdfast_findings{code="WRITES_REFUSED",severity="error"}';
  await redis.client.config('SET', 'maxmemory', '1');
  expect(valueOf(await scrape(), refused)).toBe(1);
  await redis.client.config('SET', 'maxmemory', '0');
  api.deps.redisStates.forget();
  expect(valueOf(await scrape(), refused)).toBeUndefined();
});

it('answers with what it has while Redis is away, and keeps no old value', async () => {
  await upload(api, aPng());
  const before = await scrape();
  expect(valueOf(before, 'holdfast_queue_jobs{queue="save",state="waiting"}')).toBe(1);
  expect(valueOf(before, 'holdfast_media{status="saving"}')).toBe(1);
  await redis.kill();
  const start = performance.now();
  const text = await scrape();
  expect(performance.now() - start).toBeLessThan(1_500);
  expect(valueOf(text, 'holdfast_redis_up')).toBe(0);
  expect(text).not.toMatch(/^holdfast_queue_jobs\{/m);
  expect(text).not.toMatch(/^holdfast_media\{/m);
  expect(valueOf(text, 'holdfast_uploads_in_flight')).toBe(0);
  expect(valueOf(text, 'holdfast_uploads_total{outcome="accepted"}')).toBe(1);
  await redis.restart();
  await vi.waitFor(async () => expect(valueOf(await scrape(), 'holdfast_redis_up')).toBe(1));
});
