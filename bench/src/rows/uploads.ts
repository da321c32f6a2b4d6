import { interleaveMany } from '../interleave.js';
import { round } from '../report.js';
import type { Figure } from '../figure.js';
import type { MeasureRow } from '../row.js';
import { median } from '../statistics.js';
import { processorMs } from '../stage/processor-time.js';
import { uploadCount, uploadFor } from '../stage/upload-load.js';
import { startUploadSides, type SideName, type UploadSide } from '../stage/upload-sides.js';

const FILE_BYTES = 100_000;
/** Longer than the pause before the sync that follows uploads, so that the sync is part of what is measured. */
const ROUND_MS = 4_000;

/** The programs' code must be compiled before its speed says anything, and the slower one must not get fewer uploads to that end. */
const WARM_UPLOADS = 2_500;

/** What each is measured against, and the share of its rate that is to be reached, accepted and verified. */
const settings = [
  { clients: 8, hostMs: 0, against: 'queued', atLeast: 0.8 },
  { clients: 64, hostMs: 0, against: 'queued', atLeast: 0.8 },
  { clients: 16, hostMs: 50, against: 'bare', atLeast: 0.8 },
] as const;
type Setting = (typeof settings)[number];

const nameOf = { queued: 'the queued app', bare: 'the bare app' } as const;
/** What an upload may cost, in processor time of the queued app. */
const PROCESSOR_TIME = 1.25;

/** Uploads a second in turns with the queued app, or with the bare app where the host takes most of the time. */
export const uploads: MeasureRow = async ({ quick }, cleanUp) => {
  const sides = await startUploadSides(cleanUp);
  for (const side of Object.values(sides)) {
    await uploadCount(WARM_UPLOADS, 8, side.address, FILE_BYTES);
    await side.processed(WARM_UPLOADS);
  }
  const figures: Figure[] = [];
  for (const setting of settings) figures.push(...(await measureSetting(setting, sides, quick ? 2 : 5)));
  return figures;
};

async function measureSetting(
  { clients, hostMs, against, atLeast }: Setting,
  sides: Readonly<Record<SideName, UploadSide>>,
  rounds: number,
): Promise<Figure[]> {
  await Promise.all(Object.values(sides).map(({ host }) => host.configure({ responseDelayMs: hostMs })));
  const spent: Record<SideName, number[]> = { bare: [], queued: [], ours: [] };
  const turn = async (name: SideName): Promise<[number, number]> => {
    const { accepted, processed, spentMs } = await takeTurn(sides[name], clients);
    spent[name].push(spentMs);
    return [accepted, processed];
  };
  const compared = await interleaveMany(
    rounds,
    () => turn('ours'),
    () => turn(against),
  );

  const under = `${String(clients)} clients, host answers after ${String(hostMs)} ms, against ${nameOf[against]}`;
  const rates = compared.map(({ ours, against: theirs, ratio, spread }, index): Figure => ({
    what: `uploads ${index === 0 ? 'accepted' : 'verified'}, ${under}`,
    ours: `${round(ours)} /s`,
    against: `${round(theirs)} /s`,
    value: ratio,
    unit: 'x',
    spread,
    target: { atLeast },
  }));
  const [spentHere, spentThere] = [median(spent.ours), median(spent[against])];
  const cost: Figure = {
    what: `processor time an upload, API + worker + Redis, ${under}`,
    ours: `${round(spentHere)} ms`,
    against: `${round(spentThere)} ms`,
    value: spentHere / spentThere,
    unit: 'x',
    spread: null,
    target: against === 'queued' ? { atMost: PROCESSOR_TIME } : null,
  };
  return [...rates, cost];
}

/** Uploads a second, accepted and through their jobs, and what the side's processes spent on one, in ms. */
async function takeTurn(
  side: UploadSide,
  clients: number,
): Promise<{ accepted: number; processed: number; spentMs: number }> {
  const before = await processorMs(side.pids);
  const start = performance.now();
  const count = await uploadFor(ROUND_MS, clients, side.address, FILE_BYTES);
  const acceptedMs = performance.now() - start;
  await side.processed(count);
  const processedMs = performance.now() - start;
  await side.settle();
  const spentMs = ((await processorMs(side.pids)) - before) / count;
  return { accepted: (count / acceptedMs) * 1_000, processed: (count / processedMs) * 1_000, spentMs };
}
