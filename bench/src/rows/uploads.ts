import { interleaveMany } from '../interleave.js';
import { round } from '../report.js';
import type { Figure } from '../figure.js';
import type { MeasureRow } from '../row.js';
import { median } from '../statistics.js';
import { awaitVerified } from '../stage/await-verified.js';
import { startBareFlow } from '../stage/bare-flow.js';
import { startBareApp } from '../stage/bare-programs.js';
import { startEmulator } from '../stage/emulator-process.js';
import { serverPid, startHoldfast } from '../stage/holdfast.js';
import { processorMs } from '../stage/processor-time.js';
import { uploadCount, uploadFor } from '../stage/upload-load.js';
import { until } from '../until.js';

const FILE_BYTES = 100_000;
/** Longer than the pause before the sync that follows uploads, so that the sync is part of what is measured. */
const ROUND_MS = 4_000;

/** The programs' code must be compiled before its speed says anything, and the slower one must not get fewer uploads to that end. */
const WARM_UPLOADS = 2_500;

/** Targets: accepted and verified uploads, as a share of those of the bare app. */
const settings = [
  { clients: 8, hostMs: 0, accepted: 0.6, verified: 0.5 },
  { clients: 16, hostMs: 50, accepted: 0.9, verified: 0.85 },
  { clients: 64, hostMs: 0, accepted: 0.7, verified: 0.65 },
] as const;

/** One turn of a side: uploads a second, accepted and fully processed, and what its processes spent on one. */
interface Turn {
  accepted: number;
  processed: number;
  spentMs: number;
}

/**
 * Uploads a second against the bare app, in turns of three: the bare app, the queued app (the same with both checksums
 * and two empty jobs; it has no target), Holdfast. Each has a host of its own, so that a sync finds none of the others' files.
 */
export const uploads: MeasureRow = async ({ quick }, cleanUp) => {
  const holdfast = await startHoldfast(cleanUp);
  const { folder, redis, keys } = holdfast;
  const flow = await startBareFlow(redis, folder, cleanUp);
  const [bareHost, queuedHost] = [await startEmulator(folder, cleanUp), await startEmulator(folder, cleanUp)];
  const bare = await startBareApp(bareHost.cloudinaryUrl, folder, cleanUp);
  const queued = await startBareApp(queuedHost.cloudinaryUrl, folder, cleanUp, flow.url);
  const redisPid = await serverPid(redis);

  let flows = 0;
  const sides = {
    bare: { address: `${bare.url}/upload`, pids: [bare.program.pid], processed: async () => undefined },
    queued: {
      address: `${queued.url}/upload`,
      pids: [queued.program.pid, flow.worker.pid, redisPid],
      processed: async (count: number) => {
        flows += count;
        await until('all empty jobs done', 60_000, 3, async () => (await flow.completed()) === flows);
      },
    },
    ours: {
      address: `${holdfast.url}/api/media/upload`,
      pids: [holdfast.api.pid, holdfast.worker.pid, redisPid],
      processed: () => awaitVerified(redis.client, keys),
    },
  };
  for (const { address, processed } of Object.values(sides)) {
    await uploadCount(WARM_UPLOADS, 8, address, FILE_BYTES);
    await processed(WARM_UPLOADS);
  }
  const turn = async (side: (typeof sides)[keyof typeof sides], clients: number): Promise<Turn> => {
    const before = await processorMs(side.pids);
    const start = performance.now();
    const count = await uploadFor(ROUND_MS, clients, side.address, FILE_BYTES);
    const acceptedMs = performance.now() - start;
    await side.processed(count);
    const processedMs = performance.now() - start;
    // What is still to do must not slow the next side's turn.
    if (side === sides.ours) await holdfast.settle();
    const spentMs = ((await processorMs(side.pids)) - before) / count;
    return { accepted: (count / acceptedMs) * 1_000, processed: (count / processedMs) * 1_000, spentMs };
  };

  const figures: Figure[] = [];
  for (const { clients, hostMs, ...targets } of settings) {
    const hosts = [holdfast.emulator, bareHost, queuedHost];
    await Promise.all(hosts.map((host) => host.configure({ responseDelayMs: hostMs })));
    const spent: Record<keyof typeof sides, number[]> = { bare: [], queued: [], ours: [] };
    const measured = async (name: keyof typeof sides): Promise<[number, number]> => {
      const { accepted, processed, spentMs } = await turn(sides[name], clients);
      spent[name].push(spentMs);
      return [accepted, processed];
    };
    const compared = await interleaveMany(
      quick ? 2 : 5,
      async () => [...(await measured('queued')), ...(await measured('ours'))],
      async () => (await measured('bare'))[0],
    );
    const under = `${String(clients)} clients, host answers after ${String(hostMs)} ms`;
    const columns = [
      { what: `the queued app, accepted, ${under}`, target: null },
      { what: `the queued app, jobs done, ${under}`, target: null },
      { what: `accepted, ${under}`, target: { atLeast: targets.accepted } },
      { what: `verified, ${under}`, target: { atLeast: targets.verified } },
    ];
    for (const [index, { what, target }] of columns.entries()) {
      const one = compared[index];
      if (one === undefined) continue;
      figures.push({
        what,
        ours: `${round(one.ours)} /s`,
        against: `${round(one.against)} /s`,
        value: one.ratio,
        unit: 'x' as const,
        spread: one.spread,
        target,
      });
    }
    for (const [name, what] of [
      ['queued', 'the queued app, processor time an upload'],
      ['ours', 'processor time an upload, API + worker + Redis'],
    ] as const) {
      const [spentHere, spentThere] = [median(spent[name]), median(spent.bare)];
      figures.push({
        what: `${what}, ${String(clients)} clients`,
        ours: `${round(spentHere)} ms`,
        against: `${round(spentThere)} ms`,
        value: spentHere / spentThere,
        unit: 'x' as const,
        spread: null,
        target: null,
      });
    }
  }
  return figures;
};
