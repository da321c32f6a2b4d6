import { setTimeout as pause } from 'node:timers/promises';
import { SYNC_SCHEDULE } from '@holdfast/shared/jobs';
import type { Figure } from '../figure.js';
import { round } from '../report.js';
import type { MeasureRow } from '../row.js';
import type { CleanUp } from '../stage/clean-up.js';
import { watchCompletions } from '../stage/completions.js';
import { countCommands } from '../stage/count-commands.js';
import { timeFullSync } from '../stage/full-sync.js';
import { startHoldfast, type Holdfast } from '../stage/holdfast.js';
import { uploadClient } from '../stage/upload-client.js';

/** What clients sent, and what the server counted, those inside scripts too. */
interface Cost {
  sent: number;
  counted: number;
}

/** What a day is made of, and how often each comes in it. The schedule is that of the default settings. */
const day = { 'idle minute': 1_440, 'scheduled run': 96, 'lone upload': 500, 'health poll': 1_440 } as const;
type Part = keyof typeof day;

const DAYS = 30;
const FREE_PLAN = 500_000;
const LONE_UPLOAD = 15;
/** Longer than a sync 2 s after the upload takes. */
const UPLOAD_MS = 6_000;
const ROUNDS = 3;
const MINUTE_MS = 60_000;
const FILE_BYTES = 100_000;

/**
 * What a month costs on a Redis that bills commands: one API, one worker, the schedule, a health poll a minute and 500 uploads a day
 * that come alone. Each part is counted with real processes, and the month is their sum, with every health poll measured
 * anew. With --large an hour passes in real time as well.
 */
export const month: MeasureRow = async ({ quick, large }, cleanUp) => {
  const figures: Figure[] = [];
  for (const profile of ['upstash', 'standard'] as const) {
    const parts = await measureParts(profile, quick ? 1 : 4, cleanUp);
    const perMonth = sum(
      Object.entries(day).map(([part, times]) => scaled(parts[part as Part], times * DAYS)),
    );
    const bound = profile === 'upstash' ? { 'lone upload': LONE_UPLOAD, month: FREE_PLAN } : {};
    for (const [part, cost] of [...Object.entries(parts), ['month', perMonth]] as const)
      figures.push(figureOf(`${profile}: ${part}`, cost, (bound as Record<string, number>)[part] ?? null));
    if (large)
      figures.push(figureOf(`${profile}: month, from an hour`, await anHour(profile, cleanUp), null));
  }
  return figures;
};

function figureOf(what: string, { sent, counted }: Cost, atMost: number | null): Figure {
  return {
    what,
    ours: `${round(sent)} sent`,
    against: `${round(counted)} with those inside scripts`,
    value: sent,
    unit: 'commands',
    spread: null,
    target: atMost === null ? null : { atMost },
  };
}

async function measureParts(profile: string, minutes: number, cleanUp: CleanUp): Promise<Record<Part, Cost>> {
  const holdfast = await start(profile, cleanUp);
  const { redis, url } = holdfast;
  const client = uploadClient(`${url}/api/media/upload`, FILE_BYTES);
  const health = async (): Promise<void> => {
    await (await fetch(`${url}/api/media/health`)).arrayBuffer();
  };
  // The first of each has scripts to load.
  await client.upload();
  await health();
  await holdfast.settle();
  const idle = scaled(await countCommands(redis, () => pause(minutes * MINUTE_MS)), 1 / minutes);
  const beside = (cost: Cost, ms: number): Cost => sum([cost, scaled(idle, -ms / MINUTE_MS)]);
  const uploads: Cost[] = [];
  const polls: Cost[] = [];
  for (let n = 0; n < ROUNDS; n += 1) {
    const work = async (): Promise<void> => void (await Promise.all([client.upload(), pause(UPLOAD_MS)]));
    uploads.push(beside(await countCommands(redis, work), UPLOAD_MS));
    // The upload has ended the sharing of what was measured before.
    polls.push(await countCommands(redis, async () => void (await Promise.all([health(), pause(500)]))));
  }
  // A look of the watch may fall into one of them.
  const [poll] = polls.toSorted((a, b) => a.sent - b.sent) as [Cost, ...Cost[]];
  const run = sum([await countCommands(redis, () => runSchedule(holdfast)), ofOurOwn]);
  client.close();
  return {
    'idle minute': idle,
    'scheduled run': run,
    'lone upload': scaled(sum(uploads), 1 / ROUNDS),
    'health poll': poll,
  };
}

async function start(profile: string, cleanUp: CleanUp): Promise<Holdfast> {
  const holdfast = await startHoldfast(cleanUp, { REDIS_PROFILE: profile });
  const connection = { host: '127.0.0.1', port: holdfast.redis.port };
  // Without a full run the scheduled one would be a full one.
  const ends = await watchCompletions('sync', holdfast.keys.prefix, connection, cleanUp);
  await timeFullSync(holdfast, ends);
  await ends.close();
  await holdfast.settle();
  return holdfast;
}

/** One look and two writes. */
const ofOurOwn: Cost = { sent: -3, counted: -3 };
/** BullMQ keeps the time of a delayed job in the upper bits of its score. */
const SCORE_PER_MS = 0x1000;

/** Has the next run of the schedule come now. A worker wakes up when it is due; here the marker wakes it, at the same cost. */
async function runSchedule({ redis, keys }: Holdfast): Promise<void> {
  const repeat = keys.queue('sync', 'repeat');
  const due = await redis.client.zscore(repeat, SYNC_SCHEDULE);
  await redis.client
    .pipeline()
    .zadd(
      keys.queue('sync', 'delayed'),
      'XX',
      Date.now() * SCORE_PER_MS,
      `repeat:${SYNC_SCHEDULE}:${due ?? ''}`,
    )
    .zadd(keys.queue('sync', 'marker'), 0, '0')
    .exec();
  // Any look at whether it has ended would be counted; one that changes nothing takes milliseconds.
  await pause(4_000);
}

/** An hour as the day has them, in real time, and the month made of it. */
async function anHour(profile: string, cleanUp: CleanUp): Promise<Cost> {
  const { redis, url } = await start(profile, cleanUp);
  const client = uploadClient(`${url}/api/media/upload`, FILE_BYTES);
  const minutes = 60;
  const each = async (times: number, work: () => Promise<unknown>): Promise<void> => {
    const began = performance.now();
    for (let n = 0; n < times; n += 1) {
      await pause(Math.max(0, began + ((n + 0.5) * minutes * MINUTE_MS) / times - performance.now()));
      await work();
    }
  };
  const hour = await countCommands(redis, () =>
    Promise.all([
      pause(minutes * MINUTE_MS),
      each(minutes, async () => (await fetch(`${url}/api/media/health`)).arrayBuffer()),
      each(Math.round(day['lone upload'] / 24), () => client.upload()),
    ]),
  );
  client.close();
  return scaled(hour, 24 * DAYS);
}

function scaled({ sent, counted }: Cost, by: number): Cost {
  return { sent: sent * by, counted: counted * by };
}

function sum(costs: readonly Cost[]): Cost {
  const total = (of: keyof Cost): number => costs.reduce((all, cost) => all + cost[of], 0);
  return { sent: total('sent'), counted: total('counted') };
}
