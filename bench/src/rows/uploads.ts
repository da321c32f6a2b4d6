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

/** Targets: accepted and verified uploads, as a share of those of the bare app. */
const settings = [
  { clients: 8, hostMs: 0, accepted: 0.6, verified: 0.5 },
  { clients: 16, hostMs: 50, accepted: 0.9, verified: 0.85 },
  { clients: 64, hostMs: 0, accepted: 0.7, verified: 0.65 },
] as const;
type Setting = (typeof settings)[number];

/**
 * Uploads a second against the bare app, in turns of three: the bare app, the queued app (the same with both checksums
 * and two empty jobs; it has no target), Holdfast.
 */
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
  { clients, hostMs, ...targets }: Setting,
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
    async () => [...(await turn('queued')), ...(await turn('ours'))],
    async () => (await turn('bare'))[0],
  );

  const under = `${String(clients)} clients, host answers after ${String(hostMs)} ms`;
  const columns = [
    { what: `the queued app, accepted, ${under}`, target: null },
    { what: `the queued app, jobs done, ${under}`, target: null },
    { what: `accepted, ${under}`, target: { atLeast: targets.accepted } },
    { what: `verified, ${under}`, target: { atLeast: targets.verified } },
  ];
  const rates = compared.map(({ ours, against, ratio, spread }, index): Figure => ({
    what: columns[index]?.what ?? '',
    ours: `${round(ours)} /s`,
    against: `${round(against)} /s`,
    value: ratio,
    unit: 'x',
    spread,
    target: columns[index]?.target ?? null,
  }));
  const costs = (['queued', 'ours'] as const).map((name): Figure => {
    const [spentHere, spentThere] = [median(spent[name]), median(spent.bare)];
    const whose = name === 'queued' ? 'the queued app' : 'API';
    return {
      what: `processor time an upload, ${whose} + worker + Redis, ${String(clients)} clients`,
      ours: `${round(spentHere)} ms`,
      against: `${round(spentThere)} ms`,
      value: spentHere / spentThere,
      unit: 'x',
      spread: null,
      target: null,
    };
  });
  return [...rates, ...costs];
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
