import { interleave } from '../interleave.js';
import { round } from '../report.js';
import type { MeasureRow } from '../row.js';
import { watchCompletions } from '../stage/completions.js';
import { timeFullSync } from '../stage/full-sync.js';
import { startHoldfast } from '../stage/holdfast.js';
import { timePlainListing } from '../stage/plain-listing.js';
import { seedHost } from '../stage/seed-host.js';

const settings = [
  { pageMs: 100, atLeast: 0.9 },
  { pageMs: 0, atLeast: 0.35 },
] as const;

/** A full sync that finds nothing changed, against fetching the same pages and doing nothing. */
export const fullSync: MeasureRow = async ({ large, quick }, cleanUp) => {
  const count = large ? 100_000 : 20_000;
  const holdfast = await startHoldfast(cleanUp);
  const { redis, keys, emulator } = holdfast;
  const ends = await watchCompletions('sync', keys.prefix, { host: '127.0.0.1', port: redis.port }, cleanUp);
  await seedHost(emulator, count);
  await timeFullSync(holdfast, ends);
  await holdfast.settle();

  const figures = [];
  for (const { pageMs, atLeast } of settings) {
    await emulator.configure({ listDelayMs: pageMs });
    const ours = async (): Promise<number> => {
      const { ms, unchanged } = await timeFullSync(holdfast, ends);
      if (unchanged !== count)
        throw new Error(`${String(unchanged)} of ${String(count)} assets were unchanged`);
      await holdfast.settle();
      return (count / ms) * 1_000;
    };
    const theirs = async (): Promise<number> => (count / (await timePlainListing(emulator)).ms) * 1_000;
    const { ratio, spread, ...medians } = await interleave(quick ? 1 : pageMs === 0 ? 7 : 3, ours, theirs);
    figures.push({
      what: `assets a second, ${String(count)} unchanged, page after ${String(pageMs)} ms`,
      ours: `${round(medians.ours)} /s`,
      against: `${round(medians.against)} /s`,
      value: ratio,
      unit: 'x' as const,
      spread,
      target: { atLeast },
    });
  }
  return figures;
};
