import { round } from '../report.js';
import type { MeasureRow } from '../row.js';
import { followFullSync } from '../stage/follow-sync.js';
import { countRecords, startHoldfast, type Holdfast } from '../stage/holdfast.js';
import { seedHost } from '../stage/seed-host.js';

const KILLS = 5;
const PAGE = 500;
/** Images alone are seeded: the other two types take one empty page each. */
const EMPTY_PAGES = 2;
const LONGEST_MS = 900_000;

/** A full sync whose worker is killed (SIGKILL) five times on its way: pages that the host is asked for until it is done. */
export const resume: MeasureRow = async ({ large, quick }, cleanUp) => {
  const count = large ? 100_000 : quick ? 25_000 : 50_000;
  const pages = Math.ceil(count / PAGE) + EMPTY_PAGES;
  // Snapshots ask for pages of their own.
  const holdfast = await startHoldfast(cleanUp, { CATALOG_SNAPSHOT: 'false' });
  await seedHost(holdfast.emulator, count);
  const before = await pagesAsked(holdfast);

  let { worker } = holdfast;
  let kills = 0;
  const killOnTheWay = async (listed: number): Promise<void> => {
    if (kills >= KILLS || listed < (count * (kills + 1)) / (KILLS + 1)) return;
    kills += 1;
    await worker.kill();
    worker = await holdfast.startWorker();
  };
  const run = await followFullSync(holdfast, LONGEST_MS, killOnTheWay);
  const asked = (await pagesAsked(holdfast)) - before;
  await holdfast.settle();
  const there = await countRecords(holdfast);
  if (kills !== KILLS || run.listed !== count || run.missing !== 0 || there !== count)
    throw new Error(
      `${String(kills)} kills, ${String(run.listed)} listed, ${String(there)} of ${String(count)} records`,
    );
  return [
    {
      what: `pages asked for by a full sync killed ${String(KILLS)} times, ${String(count)} assets`,
      ours: `${round(asked)} pages`,
      against: `${String(pages)} pages without a kill`,
      value: asked / pages,
      unit: 'x',
      spread: null,
      target: { atMost: 1.2 },
    },
  ];
};

async function pagesAsked({ emulator }: Pick<Holdfast, 'emulator'>): Promise<number> {
  return (await emulator.requests.counters()).byEndpoint['list'] ?? 0;
}
