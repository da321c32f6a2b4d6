import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { z } from 'zod';
import { startRedisSandbox } from '@holdfast/shared/testing';
import { createCatalog } from '@holdfast/shared/catalog';
import { redisKeys } from '@holdfast/shared/redis';
import { round } from '../report.js';
import type { MeasureRow } from '../row.js';
import { startEmulator } from '../stage/emulator-process.js';
import { fillCatalog } from '../stage/fill-catalog.js';
import { temporaryFolder } from '../stage/holdfast.js';
import { repositoryFile } from '../stage/program.js';

const run = promisify(execFile);

const taken = z.object({ snapshot: z.object({ records: z.number(), bytes: z.number() }) });
const restored = z.object({ restored: z.object({ written: z.number(), unproven: z.literal(0) }) });

/**
 * The commands `snapshot` and `restore`, as built: from the start of the process to its end. Every record is written,
 * read back and confirmed by the server, which syncs every write to disk.
 */
export const snapshotRestore: MeasureRow = async ({ large, quick }, cleanUp) => {
  const count = large ? 100_000 : quick ? 5_000 : 20_000;
  const folder = await temporaryFolder(cleanUp);
  const redis = await startRedisSandbox();
  cleanUp.defer(() => redis.close());
  const emulator = await startEmulator(folder, cleanUp, 'memory');
  await emulator.configure({ responseDelayMs: 50, listDelayMs: 100 });
  const { PATH = '', HOME = '' } = process.env;
  const env = { PATH, HOME, REDIS_URL: redis.url, CLOUDINARY_URL: emulator.cloudinaryUrl, DATA_DIR: folder };
  const command = async (name: string) => {
    const start = performance.now();
    const args = [repositoryFile('apps/worker/dist/holdfast.js'), name, '--json'];
    const { stdout } = await run(process.execPath, args, { env });
    const report: unknown = JSON.parse(stdout);
    return { seconds: (performance.now() - start) / 1_000, report };
  };

  await fillCatalog(redis, count);
  // A snapshot is only written of a catalog that a full sync has gone through.
  await redis.client.hset(redisKeys('holdfast').syncState, 'lastFullAt', new Date().toISOString());
  const writing = await command('snapshot');
  const { snapshot } = taken.parse(writing.report);
  await redis.client.flushall();
  const calls = async (): Promise<number> => (await emulator.requests.counters()).total;
  const before = await calls();
  const reading = await command('restore');
  const used = (await calls()) - before;
  const { written } = restored.parse(reading.report).restored;
  const { total, byStatus } = await createCatalog(redis.client, redisKeys('holdfast')).counts();
  if (written !== count || byStatus.verified !== total || total !== snapshot.records)
    throw new Error(`${String(byStatus.verified)} of ${String(count)} records came back`);

  const one = { spread: null, against: '' };
  const size = `${String(count)} records`;
  return [
    {
      ...one,
      what: `restore from a snapshot, ${size}, all verified`,
      ours: `${round(reading.seconds)} s`,
      value: reading.seconds,
      unit: 's',
      target: { atMost: 10 },
    },
    {
      ...one,
      what: `calls to the host for that`,
      ours: String(used),
      value: used,
      unit: 'x',
      target: { atMost: 10 },
    },
    {
      ...one,
      what: `writing the snapshot, ${size}, ${round(snapshot.bytes / 1e6)} MB`,
      ours: `${round(writing.seconds)} s`,
      value: writing.seconds,
      unit: 's',
      target: null,
    },
  ];
};
