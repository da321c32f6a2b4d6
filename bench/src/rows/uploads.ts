import { interleaveMany } from '../interleave.js';
import { round } from '../report.js';
import type { Figure } from '../figure.js';
import type { MeasureRow } from '../row.js';
import { median } from '../statistics.js';
import { awaitVerified } from '../stage/await-verified.js';
import { startBareApp } from '../stage/bare-programs.js';
import { startEmulator } from '../stage/emulator-process.js';
import { serverPid, startHoldfast } from '../stage/holdfast.js';
import { processorMs } from '../stage/processor-time.js';
import { uploadCount, uploadFor } from '../stage/upload-load.js';

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

/** Uploads a second against the bare app. Each has a host of its own, so that a sync finds none of the other's files. */
export const uploads: MeasureRow = async ({ quick }, cleanUp) => {
  const holdfast = await startHoldfast(cleanUp);
  const { folder, redis, keys } = holdfast;
  const bareHost = await startEmulator(folder, cleanUp);
  const bare = await startBareApp(bareHost.cloudinaryUrl, folder, cleanUp);
  const rounds = quick ? 2 : 5;
  const [ourAddress, bareAddress] = [`${holdfast.url}/api/media/upload`, `${bare.url}/upload`];
  for (const address of [ourAddress, bareAddress]) await uploadCount(WARM_UPLOADS, 8, address, FILE_BYTES);
  const figures: Figure[] = [];
  const ourPids = [holdfast.api.pid, holdfast.worker.pid, await serverPid(redis)];
  for (const { clients, hostMs, ...targets } of settings) {
    await Promise.all(
      [holdfast.emulator, bareHost].map((host) => host.configure({ responseDelayMs: hostMs })),
    );
    const spent = { ours: [] as number[], theirs: [] as number[] };
    const ours = async (): Promise<[number, number]> => {
      const before = await processorMs(ourPids);
      const start = performance.now();
      const count = await uploadFor(ROUND_MS, clients, ourAddress, FILE_BYTES);
      const acceptedMs = performance.now() - start;
      await awaitVerified(redis.client, keys);
      const verifiedMs = performance.now() - start;
      // What is still to do must not slow the other side's turn.
      await holdfast.settle();
      spent.ours.push(((await processorMs(ourPids)) - before) / count);
      return [(count / acceptedMs) * 1_000, (count / verifiedMs) * 1_000];
    };
    const theirs = async (): Promise<number> => {
      const before = await processorMs([bare.program.pid]);
      const start = performance.now();
      const count = await uploadFor(ROUND_MS, clients, bareAddress, FILE_BYTES);
      const perSecond = (count / (performance.now() - start)) * 1_000;
      spent.theirs.push(((await processorMs([bare.program.pid])) - before) / count);
      return perSecond;
    };
    const compared = await interleaveMany(rounds, ours, theirs);
    for (const [index, name] of (['accepted', 'verified'] as const).entries()) {
      const one = compared[index];
      if (one === undefined) continue;
      figures.push({
        what: `${name}, ${String(clients)} clients, host answers after ${String(hostMs)} ms`,
        ours: `${round(one.ours)} /s`,
        against: `${round(one.against)} /s`,
        value: one.ratio,
        unit: 'x' as const,
        spread: one.spread,
        target: { atLeast: targets[name] },
      });
    }
    const [spentHere, spentThere] = [median(spent.ours), median(spent.theirs)];
    figures.push({
      what: `processor time an upload, API + worker + Redis, ${String(clients)} clients`,
      ours: `${round(spentHere)} ms`,
      against: `${round(spentThere)} ms`,
      value: spentHere / spentThere,
      unit: 'x' as const,
      spread: null,
      target: null,
    });
  }
  return figures;
};
