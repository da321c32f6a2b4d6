import { interleaveMany } from '../interleave.js';
import { round } from '../report.js';
import type { MeasureRow } from '../row.js';
import { watchCompletions } from '../stage/completions.js';
import { timeFullSync } from '../stage/full-sync.js';
import { countRecords, startHoldfast } from '../stage/holdfast.js';
import { timePlainListing } from '../stage/plain-listing.js';
import { seedHost } from '../stage/seed-host.js';

const settings = [
  { pageMs: 100, atLeast: 0.7 },
  { pageMs: 0, atLeast: 0.25 },
] as const;

/** A full sync into an emptied Redis, against fetching the same pages and doing nothing. */
export const rebuild: MeasureRow = async ({ large, quick }, cleanUp) => {
  const count = large ? 100_000 : 20_000;
  const holdfast = await startHoldfast(cleanUp, { CATALOG_SNAPSHOT: 'false' });
  const { redis, keys, emulator } = holdfast;
  const ends = await watchCompletions('sync', keys.prefix, { host: '127.0.0.1', port: redis.port }, cleanUp);
  await seedHost(emulator, count);

  const figures = [];
  for (const { pageMs, atLeast } of settings) {
    await emulator.configure({ listDelayMs: pageMs });
    const ours = async (): Promise<[number, number]> => {
      // The key keeps the watch from asking for a recovery of its own in the middle of the one that is measured.
      await redis.client.multi().flushall().set(keys.epoch, Date.now()).exec();
      const start = performance.now();
      const { ms } = await timeFullSync(holdfast, ends);
      const there = await countRecords(holdfast);
      if (there !== count) throw new Error(`${String(there)} of ${String(count)} records came back`);
      await holdfast.settle();
      return [(count / ms) * 1_000, (count / (performance.now() - start)) * 1_000];
    };
    const theirs = async (): Promise<[number, number]> => {
      const rate = (count / (await timePlainListing(emulator)).ms) * 1_000;
      return [rate, rate];
    };
    const compared = await interleaveMany(quick ? 1 : pageMs === 0 ? 5 : 3, ours, theirs);
    for (const [index, name] of ['there', 'there and verified'].entries()) {
      const one = compared[index];
      if (one === undefined) continue;
      figures.push({
        what: `records a second ${name}, ${String(count)}, page after ${String(pageMs)} ms`,
        ours: `${round(one.ours)} /s`,
        against: `${round(one.against)} /s`,
        value: one.ratio,
        unit: 'x' as const,
        spread: one.spread,
        target: index === 0 ? { atLeast } : null,
      });
    }
  }
  return figures;
};
