import { readSettings } from '@holdfast/foundation/config';
import { createIntents } from '@holdfast/shared/intents';
import { connectMediaQueues } from '@holdfast/shared/jobs';
import { silentLogger } from '@holdfast/foundation/logging';
import { interleave } from '../interleave.js';
import { round } from '../report.js';
import type { MeasureRow } from '../row.js';
import { startBareFlow } from '../stage/bare-flow.js';
import { countRecords, startHoldfast } from '../stage/holdfast.js';
import { awaitVerified } from '../stage/await-verified.js';
import { inParallel } from '../stage/in-parallel.js';
import { sampleRecord } from '../stage/sample-record.js';
import { until } from '../until.js';

const MEDIA = 1_500;
const PRODUCERS = 32;

/** From the first accepted upload to the last verified record, against the same flow with jobs that do nothing. */
export const pipeline: MeasureRow = async ({ quick }, cleanUp) => {
  const holdfast = await startHoldfast(cleanUp);
  const { redis, keys, folder } = holdfast;
  const { jobs } = readSettings({ REDIS_URL: redis.url });
  const queues = connectMediaQueues(redis.settings, jobs, silentLogger);
  cleanUp.defer(() => queues.close());
  const intents = createIntents(redis.client, keys);
  const bare = await startBareFlow(redis, folder, cleanUp);
  let made = 0;

  const ours = async (): Promise<number> => {
    const expected = (await countRecords(holdfast)) + MEDIA;
    const start = performance.now();
    await inParallel(MEDIA, PRODUCERS, async () => {
      const record = sampleRecord((made += 1), Date.now());
      await intents.accept({ record, committed: true, jobs: queues.jobsOf(record) });
    });
    await until('all records saved', 60_000, 3, async () => (await countRecords(holdfast)) === expected);
    await awaitVerified(redis.client, keys);
    const perSecond = (MEDIA / (performance.now() - start)) * 1_000;
    await holdfast.settle();
    return perSecond;
  };
  const theirs = async (): Promise<number> => {
    await bare.clear();
    const start = performance.now();
    await inParallel(MEDIA, PRODUCERS, () => bare.add());
    await until('all empty jobs done', 60_000, 3, async () => (await bare.completed()) === MEDIA);
    return (MEDIA / (performance.now() - start)) * 1_000;
  };

  const { ratio, spread, ...medians } = await interleave(quick ? 2 : 7, ours, theirs);
  return [
    {
      what: 'media a second, save and verify',
      ours: `${round(medians.ours)} /s`,
      against: `${round(medians.against)} /s`,
      value: ratio,
      unit: 'x',
      spread,
      target: { atLeast: 0.5 },
    },
  ];
};
