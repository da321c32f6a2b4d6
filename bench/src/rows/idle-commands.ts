import { setTimeout as pause } from 'node:timers/promises';
import { startRedisSandbox } from '@holdfast/shared/testing';
import { round } from '../report.js';
import type { MeasureRow } from '../row.js';
import { startDefaultFleet } from '../stage/bare-programs.js';
import { watchCompletions } from '../stage/completions.js';
import { countCommands } from '../stage/count-commands.js';
import { startHoldfast } from '../stage/holdfast.js';
import { timeFullSync } from '../stage/full-sync.js';

const SCHEDULE_MINUTES = 15;

/**
 * Commands a minute while nothing happens, beside BullMQ's defaults in the same minutes. The schedule is on; what one
 * scheduled run costs is measured apart and spread over the minutes between two of them.
 */
export const idleCommands: MeasureRow = async ({ quick }, cleanUp) => {
  const minutes = quick ? 1 : 4;
  const holdfast = await startHoldfast(cleanUp);
  const { redis, keys, folder } = holdfast;
  const plain = await startRedisSandbox();
  cleanUp.defer(() => plain.close());
  await startDefaultFleet(plain.url, folder, cleanUp);
  // Without a full run the scheduled one would be a full one.
  const ends = await watchCompletions('sync', keys.prefix, { host: '127.0.0.1', port: redis.port }, cleanUp);
  await timeFullSync(holdfast, ends);
  await ends.close();
  await holdfast.settle();

  const quiet = () => pause(minutes * 60_000);
  const [ours, defaults] = await Promise.all([countCommands(redis, quiet), countCommands(plain, quiet)]);
  const run = await countCommands(redis, async () => {
    await fetch(`${holdfast.url}/api/media/sync-cloudinary?mode=incremental`, { method: 'POST' });
    // Any look at whether it has ended would be counted; an empty one takes a few milliseconds.
    await pause(5_000);
  });
  process.stderr.write(`idle commands by name: ${JSON.stringify(ours.byName)}\n`);
  process.stderr.write(`one incremental sync by name: ${JSON.stringify(run.byName)}\n`);

  return (['sent', 'counted'] as const).map((how) => {
    const perMinute = ours[how] / minutes;
    const withRuns = perMinute + run[how] / SCHEDULE_MINUTES;
    return {
      what: `commands a minute as ${how === 'sent' ? 'sent' : 'INFO counts them'}, a run each 15 minutes included`,
      ours: `${round(perMinute)} quiet + ${String(run[how])} a run`,
      against: `${round(defaults[how] / minutes)} (BullMQ's defaults)`,
      value: withRuns,
      unit: '/min' as const,
      spread: null,
      target: { atMost: how === 'sent' ? 8 : 15 },
    };
  });
};
