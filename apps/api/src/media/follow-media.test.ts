import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { createCatalog } from '@holdfast/shared/catalog';
import { newMediaId, type MediaRecord } from '@holdfast/shared/media';
import { proofOf, startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { readEvents } from '../../test/support/event-reader.js';
import { startApi, type RunningApi } from '../../test/support/running-api.js';
import { createShares } from '@holdfast/shared/http';
import { followMedia } from './follow-media.js';

let redis: RedisSandbox;
let api: RunningApi;

beforeAll(async () => {
  redis = await startRedisSandbox();
  api = await startApi(redis);
});

afterAll(async () => {
  await api.close();
  await redis.close();
});

/** The catalog as another process has it. */
const elsewhere = (of: RunningApi = api) => createCatalog(redis.client, of.deps.keys);
/** How often the server was asked for records. */
const looks = async (): Promise<number> =>
  Number(/cmdstat_mget:calls=(\d+)/.exec(await redis.client.info('commandstats'))?.[1] ?? '0');
const shown = async (id: string, of: RunningApi = api) => (await of.call('GET', `/api/media/${id}`)).body;

describe('the events of a file', () => {
  it('show its status now, as a record that a client would get', async () => {
    const { id } = await api.addMedia();
    const { response, next } = await readEvents(api, id);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    expect(response.headers.get('cache-control')).toContain('no-store');
    const record = await api.call('GET', `/api/media/${id}`);
    expect(await next()).toEqual({
      event: 'status',
      id: record.headers.get('etag')?.replaceAll('"', ''),
      data: record.body,
    });
  });

  it('make Node warn of no leak', async () => {
    const warned = vi.fn<(warning: Error) => void>();
    process.on('warning', warned);
    onTestFinished(() => void process.off('warning', warned));
    const { id } = await api.addMedia();
    const { next } = await readEvents(api, id);
    expect((await next()).event).toBe('status');
    expect(warned.mock.calls.flat().map(String)).toEqual([]);
  });

  it('show each change that another process makes, from saving to verified', async () => {
    const record = await api.addMedia();
    const { next } = await readEvents(api, record.id);
    expect((await next()).data).toMatchObject({ status: 'verified', revision: 1 });

    const edited = { ...record, revision: 2, title: 'Edited', updatedAt: new Date().toISOString() };
    expect(await elsewhere().save(edited)).toBe('updated');
    expect((await next()).data).toMatchObject({ status: 'saving', revision: 2, title: 'Edited' });
    const error = { code: 'RECORD_DIFFERS', message: 'differs' };
    await elsewhere().noteFailure({ id: record.id, revision: 2, attempts: 1, final: false, error });
    expect((await next()).data).toMatchObject({ status: 'saving', lastError: error });
    await elsewhere().markVerified('fsynced', new Date(), [proofOf(edited, 2)]);
    expect((await next()).data).toEqual(await shown(record.id));
    await elsewhere().markMissing([record.id], null);
    expect((await next()).data).toMatchObject({ status: 'missing' });
  });

  it('reach all followers, each once', async () => {
    const record = await api.addMedia();
    const [first, second] = await Promise.all([readEvents(api, record.id), readEvents(api, record.id)]);
    await Promise.all([first.next(), second.next()]);
    await elsewhere().markMissing([record.id], null);
    const third = await readEvents(api, record.id);
    for (const reader of [first, second, third])
      expect((await reader.next()).data).toMatchObject({ status: 'missing' });
    await api.call('DELETE', `/api/media/${record.id}`);
    for (const reader of [first, second, third])
      expect((await reader.rest()).at(-1)).toEqual({
        event: 'deleted',
        id: undefined,
        data: { id: record.id },
      });
  });

  it('end with the deletion', async () => {
    const record = await api.addMedia();
    const { next, rest } = await readEvents(api, record.id);
    await next();
    await elsewhere().beginDelete(record.id);
    expect((await next()).data).toMatchObject({ status: 'deleting' });
    await elsewhere().finishDelete(record.id);
    expect(await rest()).toEqual([{ event: 'deleted', id: undefined, data: { id: record.id } }]);
  });

  it('are not there for an unknown file, and unknown while the catalog is refilled', async () => {
    const path = `/api/media/${newMediaId()}/events`;
    expect((await api.call('GET', path)).body).toMatchObject({ status: 404, code: 'MEDIA_NOT_FOUND' });
    const other = await startApi(redis);
    const run = { runId: 'r', trigger: 'recovery', finishedAt: null, created: 1, findings: [] };
    const running = { run, progress: {} };
    await redis.client.set(other.deps.keys.syncRun, JSON.stringify(running));
    const refused = await other.call('GET', path);
    await other.close();
    expect(refused.body).toMatchObject({ status: 503, code: 'CATALOG_REBUILDING' });
    expect(refused.headers.get('retry-after')).toBe('5');
  });

  it('need a key in a header, where keys are set', async () => {
    const locked = await startApi(redis, { API_KEYS: 'r:read:read-secret' });
    const { id } = await locked.addMedia();
    for (const query of ['?key=read-secret', '?api_key=read-secret', '?access_token=read-secret'])
      expect((await locked.call('GET', `/api/media/${id}/events${query}`)).status).toBe(401);
    const reader = await readEvents(locked, id, { 'X-API-Key': 'read-secret' });
    expect((await reader.next()).data).toMatchObject({ id });
    reader.leave();
    await locked.close();
  });

  it('are announced by HEAD without being sent', async () => {
    const { id } = await api.addMedia();
    const response = await api.request(`/api/media/${id}/events`, { method: 'HEAD' });
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    expect(await response.text()).toBe('');
  });

  it('end at once when the process stops, and leave its stop nothing to wait for', async () => {
    const stopping = await startApi(redis);
    const { id } = await stopping.addMedia();
    const reader = await readEvents(stopping, id);
    await reader.next();
    const before = performance.now();
    await stopping.stop(AbortSignal.timeout(20_000));
    expect(await reader.rest()).toEqual([]);
    expect(performance.now() - before).toBeLessThan(5_000);
    await stopping.close();
  });

  it('cost Redis nothing without followers', async () => {
    const { id } = await api.addMedia();
    const reader = await readEvents(api, id);
    await reader.next();
    const before = await looks();
    await vi.waitFor(async () => expect(await looks()).toBeGreaterThan(before));
    reader.leave();
    let last = -1;
    // Longer than the longest pause between two looks.
    await vi.waitFor(
      async () => {
        const now = await looks();
        const same = now === last;
        last = now;
        expect(same).toBe(true);
      },
      { interval: 1_200 },
    );
  });
});

describe('a stream of events', () => {
  it('outlasts an outage of Redis, and then shows what changed', async () => {
    const own = await startRedisSandbox();
    const here = await startApi(own);
    const record = await here.addMedia();
    const reader = await readEvents(here, record.id);
    await reader.next();
    await own.kill();
    await vi.waitFor(async () => {
      const unknown = await here.call('GET', `/api/media/${record.id}/events`);
      expect(unknown.body).toMatchObject({ status: 503, code: 'CATALOG_UNAVAILABLE' });
    });
    await own.restart();
    await createCatalog(own.client, here.deps.keys).markMissing([record.id], null);
    expect((await reader.next()).data).toMatchObject({ id: record.id, status: 'missing' });
    reader.leave();
    await here.close();
    await own.close();
  });

  it('does not mistake an emptied catalog for a deletion', async () => {
    const own = await startRedisSandbox();
    const here = await startApi(own);
    const record = await here.addMedia();
    const reader = await readEvents(here, record.id);
    await reader.next();
    await own.client.flushall();
    const missed = async (): Promise<number> =>
      Number(/keyspace_misses:(\d+)/.exec(await own.client.info('stats'))?.[1] ?? '0');
    await vi.waitFor(async () => expect(await missed()).toBeGreaterThan(2));
    await createCatalog(own.client, here.deps.keys).save({ ...record, title: 'Back' });
    expect(await reader.next()).toMatchObject({ event: 'status', data: { status: 'saving', title: 'Back' } });
    reader.leave();
    await here.close();
    await own.close();
  });

  it('says from time to time that it is still there', async () => {
    const stream = await open(await api.addMedia(), { heartbeatMs: 20 });
    expect((await stream.next()).value).toMatch(/^retry: \d+\nid: /);
    expect((await stream.next()).value).toBe(': still here\n\n');
    expect((await stream.next()).value).toBe(': still here\n\n');
  });

  it('sends slow readers only the newest state', async () => {
    const record = await api.addMedia();
    const stream = await open(record, {});
    await stream.next();
    const witness = await readEvents(api, record.id);
    await witness.next();
    await elsewhere().markMissing([record.id], null);
    expect((await witness.next()).data.status).toBe('missing');
    await elsewhere().restore([record.id], null);
    expect((await witness.next()).data.status).toBe('saving');
    const { value } = await stream.next();
    expect(value).toContain('"status":"saving"');
  });

  it('is refused beyond a number of them, until one ends', async () => {
    const streams = createShares(1);
    const record = await api.addMedia();
    const first = await open(record, { streams });
    await first.next();
    await expect(open(record, { streams })).rejects.toMatchObject({
      code: 'OVERLOADED',
      retryAfterSeconds: 5,
    });
    await first.return?.();
    await (await open(record, { streams })).next();
  });

  it('ends where its client has all of them and another one comes', async () => {
    const streams = createShares(2);
    const record = await api.addMedia();
    const first = await open(record, { streams });
    const second = await open(record, { streams });
    await Promise.all([first.next(), second.next()]);
    const other = await open(record, { streams }, 'other');
    expect((await other.next()).done).toBe(false);
    expect((await first.next()).done).toBe(true);
  });
});

/** The stream as the edge would send it; it ends with the test, so that nobody is followed any longer. */
async function open(
  { id }: Pick<MediaRecord, 'id'>,
  { heartbeatMs, ...over }: Partial<typeof api.deps> & { heartbeatMs?: number },
  client = 'one',
): Promise<AsyncIterator<string>> {
  const gone = new AbortController();
  const answer = await followMedia(
    { ...api.deps, ...over },
    heartbeatMs,
  )({
    params: { id },
    query: undefined,
    body: undefined,
    header: () => undefined,
    accepts: () => false,
    context: {
      requestId: 'r',
      client: { name: 'anonymous', role: null, via: 'anonymous' },
      log: api.deps.log,
    },
    client,
    gone: gone.signal,
  });
  const stream = answer.stream?.[Symbol.asyncIterator]();
  if (stream === undefined) throw new Error('no stream was answered');
  onTestFinished(async () => void (await stream.return?.()));
  return stream;
}
