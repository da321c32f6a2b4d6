import { startRedisSandbox } from '@holdfast/shared/testing';
import { round } from '../report.js';
import type { MeasureRow } from '../row.js';
import { fillCatalog, usedMemory } from '../stage/fill-catalog.js';

/** What the server's memory grows by, for each record with all its index entries. */
export const recordMemory: MeasureRow = async ({ quick }, cleanUp) => {
  const count = quick ? 10_000 : 100_000;
  const redis = await startRedisSandbox(['--appendonly', 'no']);
  cleanUp.defer(() => redis.close());
  const before = await usedMemory(redis);
  await fillCatalog(redis, count);
  const perRecord = ((await usedMemory(redis)) - before) / count;
  return [
    {
      what: `Redis memory a record, ${String(count)} records with 1 category and 3 tags`,
      ours: `${round(perRecord)} bytes`,
      against: '',
      value: perRecord,
      unit: 'bytes',
      spread: null,
      target: { atMost: 1_400 },
    },
  ];
};
