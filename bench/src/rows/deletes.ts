import { readSettings } from '@holdfast/foundation/config';
import { silentLogger } from '@holdfast/foundation/logging';
import { createMediaHost, type MediaHost } from '@holdfast/shared/media-host';
import { deletionFiles, snapshotPrefix } from '@holdfast/shared/snapshot';
import type { Figure } from '../figure.js';
import { round } from '../report.js';
import type { MeasureRow } from '../row.js';
import type { CleanUp } from '../stage/clean-up.js';
import { usedMemory } from '../stage/fill-catalog.js';
import { startHoldfast } from '../stage/holdfast.js';
import { inParallel } from '../stage/in-parallel.js';
import { uploadClient } from '../stage/upload-client.js';

const CLIENTS = 8;
const TIMED = 500;
const FILE_BYTES = 1_000;

/** Deletes after many deletes against the first of them, and what they leave: on the local host, and on Cloudinary. */
export const deletes: MeasureRow = async ({ quick }, cleanUp) => {
  const between = quick ? 2_000 : 10_000;
  return [
    ...(await measure('local host', between, { CLOUDINARY_URL: '' }, cleanUp)),
    ...(await measure('Cloudinary', between, {}, cleanUp)),
  ];
};

async function measure(
  name: string,
  between: number,
  over: Record<string, string>,
  cleanUp: CleanUp,
): Promise<Figure[]> {
  // Files of deletions are read again, so their bytes are kept.
  const holdfast = await startHoldfast(cleanUp, { ...over, AUTO_SYNC_INTERVAL_MINUTES: '0' }, 'memory');
  const { url, folder, emulator, redis, keys } = holdfast;
  const settings = readSettings({
    DATA_DIR: `${folder}/data`,
    CLOUDINARY_URL: over['CLOUDINARY_URL'] ?? emulator.cloudinaryUrl,
  });
  const host = await createMediaHost(settings.host, { log: silentLogger });
  cleanUp.defer(() => host.close());
  const ids = await upload(`${url}/api/media/upload`, between + 2 * TIMED);
  await holdfast.settle();

  const deleteSome = async (count: number): Promise<number> => {
    const start = performance.now();
    await inParallel(count, CLIENTS, async () => {
      const response = await fetch(`${url}/api/media/${ids.pop() ?? ''}`, { method: 'DELETE' });
      const body = await response.text();
      if (response.status !== 202) throw new Error(`a delete answered ${String(response.status)}: ${body}`);
    });
    return count / ((performance.now() - start) / 1_000);
  };
  const memoryBefore = await usedMemory(redis);
  const first = await deleteSome(TIMED);
  let most = 0;
  for (let left = between; left > 0; left -= TIMED) {
    await deleteSome(TIMED);
    most = Math.max(most, await filesOfDeletions(host));
  }
  const later = await deleteSome(TIMED);
  await holdfast.settle();
  most = Math.max(most, await filesOfDeletions(host));
  const tombstones = await redis.client.memory('USAGE', keys.tombstones, 'SAMPLES', 0);
  const memory = (await usedMemory(redis)) - memoryBefore;
  const one = { spread: null, against: '' };
  return [
    {
      ...one,
      what: `deletes a second after ${String(between + TIMED)}, ${name}, ${String(CLIENTS)} clients`,
      ours: `${round(later)} /s`,
      against: `${round(first)} /s, the first ${String(TIMED)}`,
      value: later / first,
      unit: 'x',
      target: { atLeast: 0.8 },
    },
    {
      ...one,
      what: `files that they left on the host at most`,
      ours: String(most),
      value: most,
      unit: 'x',
      target: { atMost: 100 },
    },
    {
      ...one,
      what: `tombstones a delete, for a day; Redis as a whole grew by ${round(memory / 1e6)} MB`,
      ours: `${round(Number(tombstones) / (between + 2 * TIMED))} bytes`,
      value: Number(tombstones) / (between + 2 * TIMED),
      unit: 'bytes',
      target: null,
    },
  ];
}

/** The ids of so many new media. */
async function upload(address: string, count: number): Promise<string[]> {
  const ids: string[] = [];
  const clients = Array.from({ length: CLIENTS }, () => uploadClient(address, FILE_BYTES));
  await inParallel(count, CLIENTS, async () => {
    const client = clients.pop();
    if (client === undefined) throw new Error('more uploads at once than clients');
    const { media } = (await client.upload()) as { media: { id: string } };
    clients.push(client);
    ids.push(media.id);
  });
  for (const client of clients) client.close();
  return ids;
}

async function filesOfDeletions(host: MediaHost): Promise<number> {
  return deletionFiles('holdfast', await host.listFiles(snapshotPrefix('holdfast'))).length;
}
