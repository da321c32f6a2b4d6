import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { newMediaId } from '@holdfast/shared/media';
import { createSyncState, noCounts, type DriftItem, type SyncRun } from '@holdfast/shared/sync';
import { startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { startApi, type RunningApi } from '../../test/support/running-api.js';

let redis: RedisSandbox;
beforeAll(async () => {
  redis = await startRedisSandbox();
});
afterAll(() => redis.close());

const PATH = '/api/media/sync/drift';

async function start(): Promise<RunningApi> {
  const api = await startApi(redis);
  onTestFinished(() => api.close());
  return api;
}

const anItem = (n: number): DriftItem => ({
  kind: n % 2 === 0 ? 'host-only' : 'different',
  code: n % 2 === 0 ? 'NOT_IN_CATALOG' : 'EDITED_ON_HOST',
  id: `id${String(n)}`,
  publicId: `folder/ünï\n${String(n)}`,
  assetId: `asset${String(n).padStart(5, '0')}`,
  detail: 'changed: title',
  action: n % 2 === 0 ? 'created' : 'updated',
});

/** What a worker leaves that ran a full sync. */
async function runFull(api: RunningApi, items: readonly DriftItem[]): Promise<string> {
  const state = createSyncState(redis.client, api.deps.keys);
  const token = (await state.begin()).token ?? '';
  const runId = newMediaId();
  const at = new Date().toISOString();
  const run: SyncRun = {
    runId,
    mode: 'full',
    trigger: 'manual',
    startedAt: at,
    finishedAt: at,
    durationMs: 0,
    result: 'ok',
    ...noCounts,
    findings: [],
    dryRun: false,
    force: false,
    lastError: null,
    expected: null,
    waitingUntil: null,
  };
  await state.noteDrift(token, { run, progress: {} }, items);
  await state.finish(token, run, { lastFullAt: at });
  await state.release(token);
  return runId;
}

it('shows nothing before the first full run', async () => {
  const api = await start();
  const none = { 'catalog-only': 0, different: 0, 'host-only': 0 };
  expect((await api.call('GET', PATH)).body).toEqual({
    runId: null,
    items: [],
    nextCursor: null,
    counts: none,
    cut: false,
  });
  const lines = await api.call('GET', `${PATH}?format=ndjson`);
  expect({ status: lines.status, text: lines.body }).toEqual({ status: 200, text: '' });
});

it('shows the report of the last full run in pages, each item once', async () => {
  const api = await start();
  const items = Array.from({ length: 25 }, (_, n) => anItem(n));
  const runId = await runFull(api, items);
  const first = (await api.call('GET', `${PATH}?limit=10`)).body;
  expect(first).toMatchObject({
    runId,
    counts: { 'catalog-only': 0, different: 12, 'host-only': 13 },
    cut: false,
  });
  const second = (await api.call('GET', `${PATH}?limit=10&cursor=${first.nextCursor}`)).body;
  const third = (await api.call('GET', `${PATH}?limit=10&cursor=${second.nextCursor}`)).body;
  expect(third.nextCursor).toBeNull();
  const shown = [...first.items, ...second.items, ...third.items];
  expect(shown).toEqual([
    ...items.filter(({ kind }) => kind === 'different'),
    ...items.filter(({ kind }) => kind === 'host-only'),
  ]);
  expect((await api.call('GET', PATH)).body.items).toHaveLength(25);
});

it('streams all of it line by line, without a warning of Node past the log', async () => {
  const warnings: Error[] = [];
  const note = (warning: Error): void => void warnings.push(warning);
  process.on('warning', note);
  onTestFinished(() => void process.off('warning', note));
  const api = await start();
  const items = Array.from({ length: 1_201 }, (_, n) => anItem(n));
  const runId = await runFull(api, items);
  const response = await api.request(`${PATH}?format=ndjson`);
  const { headers } = response;
  expect(response.status).toBe(200);
  expect(headers.get('content-type')).toBe('application/x-ndjson');
  expect(headers.get('x-run-id')).toBe(runId);
  expect(headers.get('x-report-cut')).toBe('false');
  const lines = (await response.text()).split('\n');
  expect(lines.pop()).toBe('');
  expect(new Set(lines.map((line) => (JSON.parse(line) as DriftItem).id))).toEqual(
    new Set(items.map(({ id }) => id)),
  );
  expect(lines).toHaveLength(1_201);
  const head = await api.request(`${PATH}?format=ndjson`, { method: 'HEAD' });
  expect({ status: head.status, body: await head.text() }).toEqual({ status: 200, body: '' });
  expect(warnings).toEqual([]);
});

it('breaks a stream off rather than join two reports', async () => {
  const api = await start();
  await runFull(
    api,
    Array.from({ length: 1_201 }, (_, n) => anItem(n)),
  );
  const state = api.deps.syncState;
  const { readDriftLines } = state;
  let pages = 0;
  state.readDriftLines = async (page) => {
    pages += 1;
    if (pages === 2) await runFull(api, [anItem(1)]);
    return readDriftLines(page);
  };
  const response = await api.request(`${PATH}?format=ndjson`);
  await expect(response.text()).rejects.toThrow('terminated');
});

it('says when a newer report has taken the place of the one that is paged through', async () => {
  const api = await start();
  await runFull(api, [anItem(1), anItem(2), anItem(3)]);
  const { nextCursor } = (await api.call('GET', `${PATH}?limit=1`)).body;
  const runId = await runFull(api, []);
  expect((await api.call('GET', `${PATH}?cursor=${nextCursor}`)).body).toMatchObject({
    status: 400,
    code: 'INVALID_CURSOR',
  });
  expect((await api.call('GET', PATH)).body).toMatchObject({ runId, items: [] });
});

it.each(['limit=0', 'limit=1001', 'limit=x', 'format=csv', 'limt=1', 'limit=1&limit=2'])(
  'refuses ?%s',
  async (query) => {
    const api = await start();
    expect((await api.call('GET', `${PATH}?${query}`)).body).toMatchObject({
      status: 400,
      code: 'INVALID_REQUEST',
    });
  },
);

it.each(['x', 'a'.repeat(300), Buffer.from('run\nplace\nmore').toString('base64url')])(
  'rejects %s as a cursor',
  async (cursor) => {
    const api = await start();
    await runFull(api, [anItem(1)]);
    expect((await api.call('GET', `${PATH}?cursor=${cursor}`)).body).toMatchObject({
      status: 400,
      code: 'INVALID_CURSOR',
    });
  },
);

it('answers 503 while Redis is away', async () => {
  const own = await startRedisSandbox();
  onTestFinished(() => own.close());
  const api = await startApi(own);
  onTestFinished(() => api.close());
  await own.kill();
  for (const query of ['', '?format=ndjson'])
    expect((await api.call('GET', `${PATH}${query}`)).body).toMatchObject({
      status: 503,
      code: 'CATALOG_UNAVAILABLE',
    });
});
