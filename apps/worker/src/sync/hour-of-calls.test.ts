import { afterAll, beforeAll, expect, it } from 'vitest';
import type { MediaHost } from '@holdfast/shared/media-host';
import { startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { simulateTime } from '../../test/support/simulated-time.js';
import { openSyncRig } from '../../test/support/sync-rig.js';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const LIMIT = 500;
/** What syncs never touch: a reserve for the end of the hour. */
const KEPT = 25;
const start = Date.parse('2026-01-01T10:00:00Z');

let sandbox: RedisSandbox;
beforeAll(async () => {
  sandbox = await startRedisSandbox();
});
afterAll(() => sandbox.close());

/** A fleet on a host of the free plan whose clock is ours; calls are counted by the host's own clock hour. */
async function openHour(seenBy?: (host: MediaHost) => MediaHost) {
  const time = simulateTime(start);
  const rig = await openSyncRig(sandbox, 'cloudinary', {
    emulator: { rateLimitPerHour: LIMIT, now: time.now, searchLagMs: 2 * SECOND },
    ...(seenBy === undefined ? {} : { seenBy }),
  });
  const { emulator } = rig;
  if (emulator === undefined) throw new Error('no emulator');
  const callsByHour = async (): Promise<number[]> => {
    const hours: number[] = [];
    for (const { at } of await emulator.requests.recent()) {
      const hour = Math.floor((at - start) / HOUR);
      hours[hour] = (hours[hour] ?? 0) + 1;
    }
    return hours;
  };
  const refusals = async (): Promise<number> => (await emulator.requests.counters()).byStatus['420'] ?? 0;
  return {
    rig,
    time,
    emulator,
    callsByHour,
    refusals,
    runJob: rig.worker({ now: time.now, pause: time.pause }),
  };
}

it('S16: keeps within 500 calls an hour under an upload every second, and leaves the scheduled runs theirs', async () => {
  const { rig, time, emulator, callsByHour, refusals, runJob } = await openHour();
  let uploads = 0;
  time.every(SECOND, async () => {
    uploads += 1;
    await emulator.assets.put({ publicId: `others/${String(uploads)}` }, { quiet: true });
    if (!time.isWaiting('upload')) time.add({ trigger: 'upload', mode: 'incremental' }, 2 * SECOND);
  });
  time.every(15 * MINUTE, () => time.add({ trigger: 'schedule' }));
  // Somebody else's program has the same hour.
  const { username, password, hostname } = new URL(emulator.cloudinaryUrl);
  const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  const others: number[] = [];
  time.every(40 * SECOND, async () => {
    const ping = await fetch(`${emulator.url}/v1_1/${hostname}/ping`, { headers: { authorization } });
    await ping.arrayBuffer();
    others.push(ping.status);
  });
  time.add({ trigger: 'startup' });
  await time.run(start + HOUR + 5 * SECOND, runJob);

  const [calls = 0] = await callsByHour();
  expect(calls).toBeGreaterThan(LIMIT * 0.5);
  expect(calls).toBeLessThanOrEqual(LIMIT);
  expect(await refusals()).toBe(0);
  expect(new Set(others)).toEqual(new Set([200]));

  const scheduled = time.ended.filter(({ payload }) => payload.trigger === 'schedule');
  expect(scheduled.map(({ dueMs }) => (dueMs - start) / MINUTE)).toEqual([15, 30, 45, 60]);
  for (const { dueMs, endedMs } of scheduled) expect(endedMs - dueMs).toBeLessThan(5 * SECOND);
  expect((await rig.state.read()).recentErrors).toEqual([]);
  // Uploads of the last two seconds are not in the host's index yet.
  const { total } = await rig.catalog.counts();
  expect(total).toBeGreaterThanOrEqual(uploads - 8);
});

it('spreads a full run that needs more calls than an hour has, and continues in the next hour', async () => {
  const pages = LIMIT + 60;
  const onePerPage = (host: MediaHost): MediaHost => ({
    ...host,
    list: (query) => host.list({ ...query, limit: 1 }),
  });
  const { rig, time, emulator, callsByHour, refusals, runJob } = await openHour(onePerPage);
  await emulator.assets.seed(pages, { publicId: 'others/{n:8}', createdAt: start / SECOND - HOUR / SECOND });
  time.add({ mode: 'full', runId: 'long', dryRun: true });
  await time.run(start + 2 * HOUR, runJob);

  expect(await rig.state.findRun('long')).toMatchObject({ result: 'ok', listed: pages, errors: 0 });
  const [first = 0, second = 0] = await callsByHour();
  expect(first).toBeGreaterThan(LIMIT * 0.9);
  expect(first).toBeLessThanOrEqual(LIMIT - KEPT);
  expect(second).toBeGreaterThan(0);
  expect(await refusals()).toBe(0);
});
