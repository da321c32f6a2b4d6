import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isOwnId } from '@holdfast/shared/media';
import { noCounts, type SyncRun } from '@holdfast/shared/sync';
import { startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { startApi, type RunningApi } from '../../test/support/running-api.js';

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

const START = '/api/media/sync-cloudinary';
const job = (runId: string) => api.deps.queues.queues.sync.getJob(`sync-${runId}`);
const run = (runId: string, finishedAt: string | null): SyncRun => ({
  ...noCounts,
  runId,
  mode: 'full',
  trigger: 'manual',
  startedAt: '2026-01-01T00:00:00.000Z',
  finishedAt,
  durationMs: 0,
  result: 'ok',
  findings: [],
  dryRun: false,
  force: false,
  lastError: null,
  expected: null,
  waitingUntil: null,
});

describe('a sync on demand', () => {
  it.each([
    ['POST', '', { mode: 'full', dryRun: false, force: false }],
    ['GET', '', { mode: 'full', dryRun: false, force: false }],
    ['POST', '?mode=incremental&dryRun=true&force=true', { mode: 'incremental', dryRun: true, force: true }],
    ['POST', '', { mode: 'incremental', dryRun: true, force: false }, { dryRun: true, mode: 'incremental' }],
    ['POST', '?dryRun=true', { mode: 'full', dryRun: true, force: false }, { dryRun: false }],
    ['POST', '', { mode: 'full', dryRun: false, force: false }, {}],
  ])('%s%s is queued under an id of its own: %o', async (method, query, payload, sent?: unknown) => {
    const { status, body } = await api.call(method, `${START}${query}`, sent);
    expect({ status, body }).toEqual({
      status: 202,
      body: { runId: expect.any(String), mode: payload.mode, alreadyRunning: false },
    });
    expect(isOwnId(body.runId)).toBe(true);
    expect((await job(body.runId))?.data).toEqual({ trigger: 'manual', runId: body.runId, ...payload });
  });

  it.each([
    ['application/json', '{"dryrun":true}', 400, 'INVALID_REQUEST'],
    ['application/json', '{"dryRun":"true"}', 400, 'INVALID_REQUEST'],
    ['application/x-www-form-urlencoded', 'dryRun=true', 415, 'UNSUPPORTED_BODY'],
  ])('refuses options that it does not know: %s %s', async (type, body, status, code) => {
    const before = await api.deps.queues.queues.sync.getJobCountByTypes();
    const answer = await api.request(START, { method: 'POST', headers: { 'Content-Type': type }, body });
    expect(answer.status).toBe(status);
    expect(await answer.json()).toMatchObject({ code });
    expect(await api.deps.queues.queues.sync.getJobCountByTypes()).toBe(before);
  });

  it('does not begin with HEAD', async () => {
    const answer = await api.request(START, { method: 'HEAD' });
    expect(answer.status).toBe(405);
    expect(answer.headers.get('allow')).toBe('POST, GET, OPTIONS');
  });

  it('reports that another run must end first', async () => {
    await redis.client.set(api.deps.keys.syncRun, JSON.stringify({ run: run('other', null), progress: {} }));
    const { body } = await api.call('POST', START);
    expect(body.alreadyRunning).toBe(true);
    expect(body.runId).not.toBe('other');
    await redis.client.del(api.deps.keys.syncRun);
  });

  it('is one run however many ask for the same before it begins, and another once it has begun', async () => {
    await redis.client.flushall();
    await redis.client.set(api.deps.keys.syncRun, JSON.stringify({ run: run('other', null), progress: {} }));
    const ask = async (query = ''): Promise<string> =>
      (await api.call('POST', `${START}${query}`)).body.runId;
    const asked = await Promise.all([ask(), ask(), ask()]);
    const first = await ask();
    expect(new Set([...asked, first]).size).toBe(1);
    const others = [await ask('?dryRun=true'), await ask('?force=true'), await ask('?mode=incremental')];
    expect(new Set([first, ...others]).size).toBe(4);
    await redis.client.set(api.deps.keys.syncRun, JSON.stringify({ run: run(first, null), progress: {} }));
    const next = await ask();
    expect(next).not.toBe(first);
    await redis.client.lpush(api.deps.keys.syncRuns, JSON.stringify(run(next, '2026-01-01T00:00:00.000Z')));
    expect([first, next]).not.toContain(await ask());
    await redis.client.flushall();
  });

  it('is waited for when the client prefers so', async () => {
    const answer = api.call('POST', START, undefined, { Prefer: 'wait=20' });
    const started = async (): Promise<string> => {
      for (;;) {
        const [waiting] = await redis.client.lrange(`${api.deps.keys.prefix}:sync:wait`, 0, 0);
        if (waiting !== undefined) return waiting.replace('sync-', '');
      }
    };
    await redis.client.del(`${api.deps.keys.prefix}:sync:wait`);
    const runId = await started();
    await redis.client.lpush(api.deps.keys.syncRuns, JSON.stringify(run(runId, '2026-01-01T00:00:00.000Z')));
    const { status, headers, body } = await answer;
    expect({ status, runId: body.runId, applied: headers.get('preference-applied') }).toEqual({
      status: 200,
      runId,
      applied: 'wait=20',
    });
  });

  it('is not waited for longer than the client prefers', async () => {
    const { status, body } = await api.call('POST', START, undefined, { Prefer: 'wait=1' });
    expect(status).toBe(202);
    expect(body.runId).toEqual(expect.any(String));
  });

  it.each(['mode=quick', 'dryRun=maybe', 'force=1', 'dryrun=true', 'mode=full&mode=full'])(
    'refuses ?%s',
    async (query) => {
      const before = await api.deps.queues.queues.sync.count();
      const { body } = await api.call('POST', `${START}?${query}`);
      expect(body).toMatchObject({
        status: 400,
        code: 'INVALID_REQUEST',
        errors: [{ path: query.split('=')[0] }],
      });
      expect(await api.deps.queues.queues.sync.count()).toBe(before);
    },
  );
});

describe('sync/status', () => {
  it('shows what runs, what ran and what comes next', async () => {
    const own = await startApi(redis);
    const empty = await own.call('GET', '/api/media/sync/status');
    expect(empty.body).toEqual({
      enabled: true,
      intervalMinutes: 15,
      running: null,
      lastRun: null,
      lastFullRun: null,
      nextRunAt: null,
      recentErrors: [],
      rateLimit: null,
      snapshot: null,
    });
    const note = { id: 'a', at: '2026-01-01T00:00:00.000Z', records: 2, bytes: 300, changes: 5 };
    await redis.client.hset(own.deps.keys.syncState, 'snapshot', JSON.stringify(note));
    const next = Date.now() + 60_000;
    await own.deps.queues.queues.sync.upsertJobScheduler(
      'auto-sync',
      { every: 60_000, startDate: next },
      { name: 'sync' },
    );
    await redis.client.lpush(own.deps.keys.syncRuns, JSON.stringify(run('a', '2026-01-01T00:00:00.000Z')));
    const { body } = await own.call('GET', '/api/media/sync/status');
    expect(body.lastRun.runId).toBe('a');
    expect(body.snapshot).toEqual({ at: note.at, records: 2, bytes: 300 });
    expect(Math.abs(Date.parse(body.nextRunAt) - next)).toBeLessThan(60_000);
    // The workers' schedule, whatever the settings of this process say.
    expect(body).toMatchObject({ enabled: true, intervalMinutes: 1 });
    await own.close();
  });

  it('says when there is no schedule', async () => {
    const own = await startApi(redis, { AUTO_SYNC_INTERVAL_MINUTES: '0' });
    const { body } = await own.call('GET', '/api/media/sync/status');
    expect(body).toMatchObject({ enabled: false, intervalMinutes: 0, nextRunAt: null });
    await own.close();
  });
});
