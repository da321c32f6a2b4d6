import { expect, it, vi } from 'vitest';
import { createCatalog } from '@holdfast/shared/catalog';
import { redisKeys } from '@holdfast/shared/redis';
import { startRedisSandbox } from '@holdfast/shared/testing';
import { audit, type Acknowledged } from './harness/audit.js';
import { aPng, type ApiClient, type Media } from './harness/client.js';
import { createDeploymentOn } from './harness/deployment.js';
import { watchDisk } from './harness/power-cut.js';

const keys = redisKeys('holdfast');
const FSYNCED = 8;
const UNCONFIRMED = 5;

interface Verified extends Acknowledged {
  /** As a client has read it. */
  media: Media;
}

/** Uploads and edits, and waits each time for what the server confirms. */
async function keepEditing(
  client: ApiClient,
  seen: Map<string, Verified>,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    const data = aPng();
    const { status, body } = await client.upload(data, {}, { Prefer: 'wait=20' });
    if (status !== 201) continue;
    const { id } = body.media;
    seen.set(id, { id, data, media: body.media });
    await client.call(`/api/media/${id}`, {
      method: 'PATCH',
      body: JSON.stringify({ title: 'edited' }),
      headers: { 'Content-Type': 'application/json' },
    });
    while (!signal.aborted) {
      const read = await client.media(id);
      if (read.status !== 200 || read.body.status !== 'verified') continue;
      seen.set(id, { id, data, media: read.body });
      break;
    }
  }
}

// They mostly wait for what a crash leaves to count as stale, so they wait together.
it.concurrent.for([
  { policy: 'everysec', level: 'fsynced', leastLost: 1 },
  // Nothing is acknowledged before it is on the disk.
  { policy: 'always', level: 'fsynced', leastLost: 0 },
  { policy: 'no', level: 'written', leastLost: 1 },
])(
  'S4: keeps what it called fsynced through a power cut, and gets back what it did not (appendfsync $policy)',
  async ({ policy, level, leastLost }, { onTestFinished }) => {
    const redis = await startRedisSandbox(['--appendfsync', policy, '--auto-aof-rewrite-percentage', '0']);
    const disk = await watchDisk(redis);
    onTestFinished(() => disk.close());
    const deployment = await createDeploymentOn(redis, 'cloudinary', {
      REDIS_URL: `redis://127.0.0.1:${String(disk.port)}`,
      AUTO_SYNC_AFTER_UPLOAD_DELAY_SECONDS: '3600',
    });
    onTestFinished(() => deployment.close());
    const [api, worker] = await Promise.all([deployment.startApi(), deployment.startWorker()]);

    const seen = new Map<string, Verified>();
    const acknowledged: Acknowledged[] = [];
    const power = new AbortController();
    const editing = Array.from({ length: 4 }, () =>
      keepEditing(api.client, seen, power.signal).catch(() => undefined),
    );
    await vi.waitFor(() => expect(seen.size).toBeGreaterThanOrEqual(FSYNCED));
    // Acknowledged after the last confirmation: nobody has promised these to be on the disk.
    let since = disk.confirmed();
    let unconfirmed = 0;
    while (unconfirmed < UNCONFIRMED) {
      const data = aPng();
      const { status, body } = await api.client.upload(data);
      expect(status).toBe(202);
      acknowledged.push({ id: body.media.id, data });
      unconfirmed = disk.confirmed() === since || policy === 'always' ? unconfirmed + 1 : 0;
      since = disk.confirmed();
    }
    const promised = [...seen.values()].filter(({ media }) => media.persistence.level === 'fsynced');
    const levels = new Set([...seen.values()].map(({ media }) => media.persistence.level));
    power.abort();
    const [gone] = await Promise.all([disk.cutPower(), api.program.kill(), worker.kill()]);
    await Promise.all(editing);
    expect([...levels]).toEqual([level]);

    await redis.restart();
    const catalog = createCatalog(redis.client, keys);
    for (const { media } of promised) {
      const { id, revision, title, checksum } = media;
      const record = await catalog.find(id);
      expect(record, id).toMatchObject({ id, checksum });
      expect(record?.revision).toBeGreaterThanOrEqual(revision);
      expect([title, 'edited']).toContain(record?.title);
    }
    const left = await catalog.findStored(acknowledged.map(({ id }) => id));
    // Else the cut has taken nothing away, and proves nothing.
    expect(gone).toBeGreaterThanOrEqual(leastLost);
    expect(left.filter((entry) => entry === null).length).toBeGreaterThanOrEqual(leastLost);

    const { client } = await deployment.startApi();
    await deployment.startWorker();
    expect(await client.sync('full')).toMatchObject({ status: 200, body: { result: 'ok' } });
    await audit(deployment, client, [...acknowledged, ...seen.values()]);
  },
);
