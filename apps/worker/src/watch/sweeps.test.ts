import { expect, it, onTestFinished } from 'vitest';
import { statusCode } from '@holdfast/shared/catalog';
import { pushJob, removeJob } from '@holdfast/shared/jobs';
import { newMediaId } from '@holdfast/shared/media';
import { aRecord } from '@holdfast/shared/testing';
import { openBench } from '../../test/support/start-worker.js';
import { AT_ONCE, sweepDeleting, sweepUnpushed } from './sweeps.js';

const LONG_AGO = Date.now() - 86_400_000;
const MINUTE_AGO = Date.now() - 60_000;
/** One of 201 is left out each time. In all these times the same one is not. */
const SWEEPS = 30;

it('reaches what waits behind more than one batch', async () => {
  const bench = await openBench();
  onTestFinished(() => bench.close());
  const { catalog, keys, queues } = bench;
  const redis = bench.sandbox.client;
  const stuck = Array.from({ length: AT_ONCE }, () => [LONG_AGO, newMediaId()]).flat();
  const [edited, deleted] = [aRecord(), aRecord()];
  for (const record of [edited, deleted]) await catalog.save(record);
  await catalog.beginDelete(deleted.id);
  await redis.zadd(keys.unpushed, ...stuck, MINUTE_AGO, edited.id);
  await redis.zadd(keys.byStatus(statusCode.deleting), ...stuck);
  await redis.zadd(keys.tombstones, MINUTE_AGO, deleted.id);

  for (let sweeps = 0; sweeps < SWEEPS; sweeps += 1) {
    await sweepUnpushed(bench);
    await sweepDeleting(bench);
  }
  const { save, verify, sync } = queues.queues;
  const waiting = (await Promise.all([save, verify, sync].map((queue) => queue.getJobs()))).flat();
  expect(waiting.filter(({ name }) => name === pushJob.name).map(({ data }) => data.id)).toEqual([edited.id]);
  expect(waiting.filter(({ name }) => name === removeJob.name).map(({ data }) => data.id)).toEqual([
    deleted.id,
  ]);
});
