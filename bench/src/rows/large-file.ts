import type { Figure } from '../figure.js';
import { interleaveMany } from '../interleave.js';
import { round } from '../report.js';
import type { MeasureRow } from '../row.js';
import { startBareApp } from '../stage/bare-programs.js';
import { startEmulator } from '../stage/emulator-process.js';
import { startHoldfast } from '../stage/holdfast.js';
import { processorMs } from '../stage/processor-time.js';
import { forgetPeak, residentMemory } from '../stage/resident-memory.js';
import { uploadLarge } from '../stage/upload-client.js';

const FILE_BYTES = 1_000_000_000;

/**
 * One file of 1 GB after the other, until it is accepted, in turns with the bare app that pipes the body to the SDK and takes both
 * hashes. Its host allows so much in one request; Cloudinary's does not, so Holdfast's file goes up in parts.
 */
export const largeFile: MeasureRow = async ({ quick }, cleanUp) => {
  const { api, url, folder } = await startHoldfast(cleanUp, { UPLOAD_MAX_BYTES: String(2 * FILE_BYTES) });
  const bareHost = await startEmulator(folder, cleanUp);
  await bareHost.configure({ maxRequestBytes: 2 * FILE_BYTES });
  const bare = await startBareApp(bareHost.cloudinaryUrl, folder, cleanUp);

  /** Megabytes a second, and what the app spent on the file, in ms of processor time. */
  const turn = async (address: string, pid: number): Promise<readonly number[]> => {
    const before = await processorMs([pid]);
    const start = performance.now();
    await uploadLarge(address, FILE_BYTES);
    const elapsedMs = performance.now() - start;
    return [FILE_BYTES / 1_000 / elapsedMs, (await processorMs([pid])) - before];
  };
  const idle = (await residentMemory(api.pid)).nowMb;
  await forgetPeak(api.pid);
  const compared = await interleaveMany(
    quick ? 3 : 7,
    () => turn(`${url}/api/media/upload`, api.pid),
    () => turn(`${bare.url}/stream`, bare.program.pid),
  );
  const grown = (await residentMemory(api.pid)).peakMb - idle;
  const compare = (column: number, what: string, unit: string, target: Figure['target']): Figure[] =>
    compared.slice(column, column + 1).map(({ ours, against, ratio, spread }) => ({
      what,
      ours: `${round(ours)} ${unit}`,
      against: `${round(against)} ${unit}`,
      value: ratio,
      unit: 'x',
      spread,
      target,
    }));
  return [
    ...compare(0, 'one file of 1 GB, accepted', 'MB/s', { atLeast: 0.9 }),
    ...compare(1, 'processor time of the API for it', 'ms', null),
    {
      what: 'memory of the API for it, above idle',
      ours: `+${round(grown)} MB`,
      against: '',
      value: grown,
      unit: 'MB',
      spread: null,
      target: null,
    },
  ];
};
