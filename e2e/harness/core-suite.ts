import type { RedisServers } from '@holdfast/shared/testing';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { audit } from './audit.js';
import { aPng, sha256, type ApiClient, type Media } from './client.js';
import { createDeploymentOn, type Deployment } from './deployment.js';
import type { Program } from './program.js';

export interface CoreExpectations {
  /** What `storage.type` says, and the level that every verification reaches. */
  storageType: string;
  level: string;
  /** Codes of all findings about the server; none by default. */
  findings?: readonly string[];
  /** More settings of the deployment. */
  env?: Record<string, string>;
}

export interface Running<Servers extends RedisServers> {
  deployment: Deployment<Servers>;
  client: ApiClient;
  worker: Program;
}

/**
 * What must hold on every kind of Redis, over one API and one worker. Answers with what is running, for tests that follow.
 */
export function coreSuite<Servers extends RedisServers>(
  startServers: () => Promise<Servers>,
  { storageType, level, findings = [], env = {} }: CoreExpectations,
): () => Running<Servers> {
  let running: Running<Servers> | undefined;
  const now = (): Running<Servers> => {
    if (running === undefined) throw new Error('the deployment has not started');
    return running;
  };
  beforeAll(async () => {
    const deployment = await createDeploymentOn(await startServers(), 'cloudinary', env);
    const [{ client }, worker] = await Promise.all([deployment.startApi(), deployment.startWorker()]);
    // An API waits a second for Redis, then starts without it.
    await vi.waitUntil(async () => (await client.call('/readyz')).status === 200, { timeout: 20_000 });
    running = { deployment, client, worker };
  });
  afterAll(() => running?.deployment.close());

  it('verifies small and large files at the level that the server confirms', async () => {
    const { client, deployment } = now();
    const files = [aPng(5_000), aPng(3_000_000)];
    const acknowledged = [];
    for (const data of files) {
      const { status, body } = await client.upload(data, { title: 'T', tags: 'a,b' }, { Prefer: 'wait=20' });
      expect(status).toBe(201);
      expect(body.media).toMatchObject({
        status: 'verified',
        checksum: { sha256: sha256(data) },
        persistence: { level, attempts: 1 },
      });
      acknowledged.push({ id: body.media.id, data, title: 'T' });
    }
    await audit(deployment, client, acknowledged);
  });

  it('lists, filters, edits and deletes', async () => {
    const { client } = now();
    const { body } = await client.upload(aPng(), { tags: 'only-here' }, { Prefer: 'wait=20' });
    const { id } = body.media;
    expect((await client.list('?tag=only-here&type=image')).body).toMatchObject({ items: [{ id }] });
    expect((await client.list('?limit=1')).body.items).toMatchObject([{ id }]);
    const edited = await client.call<Media>(`/api/media/${id}`, {
      method: 'PATCH',
      body: JSON.stringify({ title: 'edited' }),
      headers: { 'Content-Type': 'application/json' },
    });
    expect(edited).toMatchObject({ status: 200, body: { title: 'edited', revision: 2 } });
    expect((await client.call(`/api/media/${id}`, { method: 'DELETE' })).status).toBe(202);
    await vi.waitFor(async () => expect((await client.media(id)).status).toBe(404));
    expect((await client.list('?tag=only-here')).body.items).toEqual([]);
  });

  it('says what it stands on, and is healthy', async () => {
    const { client } = now();
    const status = await client.call('/api/media/database/status');
    expect(status).toMatchObject({
      status: 200,
      body: { storage: { type: storageType, hasKV: true, connected: true, connectionTest: 'passed' } },
    });
    const health = await client.call<{ storage: { findings: { code: string; severity: string }[] } }>(
      '/api/media/health',
    );
    expect(health, JSON.stringify(health.body.storage.findings)).toMatchObject({
      status: 200,
      body: { status: 'healthy', persistence: { testPassed: true, level } },
    });
    const codes = health.body.storage.findings.map(({ code }) => code);
    // A new deployment is a rebuilt one until its first full sync.
    expect(codes.filter((code) => code !== 'CATALOG_REBUILDING')).toEqual([...findings]);
    expect((await client.call('/readyz')).status).toBe(200);
  });

  it('comes back with the same ids after every master was wiped', async () => {
    const { client, deployment } = now();
    const before = await client.all();
    await deployment.redis.wipe();
    expect(await client.sync('full')).toMatchObject({ status: 200, body: { result: 'ok' } });
    const after = await audit(deployment, client, []);
    expect(after.map(({ id, title }) => ({ id, title }))).toEqual(
      before.map(({ id, title }) => ({ id, title })),
    );
  });

  it('saves under a new worker what came while there was none', async () => {
    const { client, deployment, worker } = now();
    expect(await worker.stop()).toBe(0);
    const data = aPng();
    const { body } = await client.upload(data);
    now().worker = await deployment.startWorker();
    await audit(deployment, client, [{ id: body.media.id, data }]);
  });
  return now;
}
