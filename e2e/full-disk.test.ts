import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startCloudinaryEmulator } from '@holdfast/cloudinary-emulator';
import { freePort, startRedisSandbox } from '@holdfast/shared/testing';
import { Redis } from 'ioredis';
import { describe, expect, it, vi } from 'vitest';
import { audit } from './harness/audit.js';
import { apiClient } from './harness/client.js';
import { createDeploymentOn } from './harness/deployment.js';
import { canLimitFiles, limitedRedis } from './harness/limited-redis.js';
import { startProgram } from './harness/program.js';
import { startUploads, type UploadLoad } from './harness/upload-load.js';

const within = { interval: 50 };

async function pidOf(redis: Redis): Promise<number> {
  return Number(/process_id:(\d+)/.exec(await redis.info('server'))?.[1]);
}

/** Room for a few more writes. */
async function sizeOfAof(directory: string): Promise<number> {
  const folder = join(directory, 'appendonlydir');
  const file = (await readdir(folder)).find((name) => name.endsWith('.incr.aof')) ?? '';
  return (await stat(join(folder, file))).size + 20_000;
}

const acknowledges = (load: UploadLoad, more: number): Promise<void> => {
  const before = load.acknowledged.length;
  return vi.waitFor(() => expect(load.acknowledged.length).toBeGreaterThan(before + more), within);
};
const refuses = (load: UploadLoad, more: number): Promise<void> => {
  const count = () => load.answers.filter(({ status }) => status === 503).length;
  const before = count();
  return vi.waitFor(() => expect(count()).toBeGreaterThan(before + more), within);
};

describe.skipIf(!canLimitFiles)('where files can be kept from growing', () => {
  it.concurrent(
    'S11: refuses while the disk of Redis is full, says why, and continues when there is room (appendfsync everysec)',
    async ({ onTestFinished }) => {
      const folder = await mkdtemp(join(tmpdir(), 'holdfast-full-'));
      onTestFinished(() => rm(folder, { recursive: true, force: true }));
      const limited = await limitedRedis(folder);
      const redis = await startRedisSandbox(['--appendfsync', 'everysec'], limited.program);
      const deployment = await createDeploymentOn(redis, 'cloudinary');
      onTestFinished(() => deployment.close());
      const [{ client }] = await Promise.all([deployment.startApi(), deployment.startWorker()]);
      const load = startUploads(() => client, 2);
      await acknowledges(load, 10);
      const pid = await pidOf(redis.client);
      await limited.fill(pid, await sizeOfAof(redis.directory));
      await refuses(load, 10);
      expect((await client.list()).status).toBe(200);
      // A process that has not looked yet: others look once a minute.
      const { client: fresh } = await deployment.startApi();
      const { body } = await fresh.call<{ storage: { findings: { code: string }[] } }>('/api/media/health');
      expect(body.storage.findings.map(({ code }) => code)).toContain('AOF_WRITE_FAILED');
      await limited.makeRoom(pid);
      await acknowledges(load, 10);
      await load.stop();
      await audit(deployment, client, load.acknowledged, 90_000);
    },
  );

  it.concurrent(
    'S11: starts the embedded Redis again when the disk that was full has room (appendfsync always)',
    async ({ onTestFinished }) => {
      const folder = await mkdtemp(join(tmpdir(), 'holdfast-full-'));
      onTestFinished(() => rm(folder, { recursive: true, force: true }));
      const [limited, emulator, port] = await Promise.all([
        limitedRedis(join(folder, 'programs')),
        startCloudinaryEmulator(),
        freePort(),
      ]);
      onTestFinished(() => emulator.close());
      const launcher = startProgram('apps/launcher/dist/main.js', {
        PATH: `${limited.folder}:${process.env['PATH'] ?? ''}`,
        DATA_DIR: folder,
        PORT: String(port),
        CLOUDINARY_URL: emulator.cloudinaryUrl,
        AUTO_SYNC_ON_STARTUP: 'false',
      });
      onTestFinished(async () => void (await launcher.stop()));
      const client = apiClient(`http://127.0.0.1:${String(port)}`);
      const path = join(folder, 'redis', 'redis.sock');
      await vi.waitFor(async () => expect((await client.call('/readyz')).status).toBe(200), within);
      const redis = new Redis({ path, maxRetriesPerRequest: null, retryStrategy: () => 100 });
      redis.on('error', () => undefined);
      onTestFinished(() => redis.disconnect());

      const load = startUploads(() => client, 2);
      await acknowledges(load, 10);
      await limited.fill(await pidOf(redis), await sizeOfAof(join(folder, 'redis')));
      await launcher.waitForLog((line) => line.message === 'part.ended' && line['part'] === 'redis');
      await refuses(load, 10);
      await limited.makeRoom();
      await acknowledges(load, 10);
      await load.stop();
      expect(launcher.log.some((line) => line.message === 'part.restarted')).toBe(true);
      const servers = { redis: { client: redis }, emulator };
      await audit(servers, client, load.acknowledged, 90_000);
    },
  );
});
