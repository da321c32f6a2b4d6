import type { Figure } from '../figure.js';
import { round } from '../report.js';
import type { MeasureRow } from '../row.js';
import { followFullSync } from '../stage/follow-sync.js';
import { countRecords, startHoldfast, type Holdfast } from '../stage/holdfast.js';
import { forgetPeak, residentMemory } from '../stage/resident-memory.js';
import { seedHost } from '../stage/seed-host.js';

const TENTHS = 10;
const LONGEST_MS = 3_600_000;
/** A heap that grows with the catalog would be several times as large in the last tenth as in the second. */
const AT_MOST = 1.3;

/**
 * Memory of the worker while a full sync brings everything in, and while another finds all of it unchanged: the peak within
 * each tenth of the run.
 */
export const workerMemory: MeasureRow = async ({ large, quick }, cleanUp) => {
  const count = large ? 1_000_000 : quick ? 20_000 : 100_000;
  const holdfast = await startHoldfast(cleanUp);
  await seedHost(holdfast.emulator, count);
  const figures: Figure[] = [];
  for (const pass of ['created', 'unchanged'] as const) {
    const { peaks, after, seconds } = await peaksOf(holdfast, count, pass);
    const [second = 0, middle = 0, last = 0] = [1, 4, TENTHS - 1].map((tenth) => peaks[tenth]);
    figures.push({
      what: `worker memory, ${String(count)} assets ${pass} in ${round(seconds)} s: peak at 10-20 %, 40-50 %, 90-100 %, whole run`,
      ours: [second, middle, last, Math.max(...peaks, after)].map((mb) => `${round(mb)} MB`).join(', '),
      against: `${round(second)} MB at 10-20 %`,
      value: last / second,
      unit: 'x',
      spread: null,
      target: { atMost: AT_MOST },
    });
    // Every tenth, for those who want more than three; and in case the next pass does not end.
    process.stderr.write(`${pass} after ${round(seconds)} s: ${peaks.map(round).join(' ')} MB\n`);
  }
  if ((await countRecords(holdfast)) !== count) throw new Error('not every asset has its record');
  return figures;
};

async function peaksOf(holdfast: Holdfast, count: number, pass: 'created' | 'unchanged') {
  const { pid } = holdfast.worker;
  const start = performance.now();
  const peaks: number[] = [];
  let current = 0;
  await forgetPeak(pid);
  const run = await followFullSync(holdfast, LONGEST_MS, async (listed) => {
    const tenth = Math.min(TENTHS - 1, Math.floor((listed / count) * TENTHS));
    peaks[tenth] = Math.max(peaks[tenth] ?? 0, (await residentMemory(pid)).peakMb);
    if (tenth !== current) await forgetPeak(pid);
    current = tenth;
  });
  if (run[pass] !== count) throw new Error(`${String(run[pass])} of ${String(count)} assets were ${pass}`);
  const seconds = (performance.now() - start) / 1_000;
  // The snapshot that follows the run counts too.
  await holdfast.settle();
  return { peaks, after: (await residentMemory(pid)).peakMb, seconds };
}
