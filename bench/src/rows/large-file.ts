import type { Figure } from '../figure.js';
import { interleave } from '../interleave.js';
import { round } from '../report.js';
import type { MeasureRow } from '../row.js';
import { startBareApp } from '../stage/bare-programs.js';
import { startEmulator } from '../stage/emulator-process.js';
import { startHoldfast } from '../stage/holdfast.js';
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

  const speed = async (address: string): Promise<number> => {
    const start = performance.now();
    await uploadLarge(address, FILE_BYTES);
    return FILE_BYTES / 1_000 / (performance.now() - start);
  };
  const idle = (await residentMemory(api.pid)).nowMb;
  await forgetPeak(api.pid);
  const { ours, against, ratio, spread } = await interleave(
    quick ? 3 : 7,
    () => speed(`${url}/api/media/upload`),
    () => speed(`${bare.url}/stream`),
  );
  const grown = (await residentMemory(api.pid)).peakMb - idle;
  const rate: Figure = {
    what: 'one file of 1 GB, accepted',
    ours: `${round(ours)} MB/s`,
    against: `${round(against)} MB/s`,
    value: ratio,
    unit: 'x',
    spread,
    target: { atLeast: 0.9 },
  };
  const memory: Figure = {
    what: 'API, while it goes up, above idle',
    ours: `+${round(grown)} MB`,
    against: '',
    value: grown,
    unit: 'MB',
    spread: null,
    target: null,
  };
  return [rate, memory];
};
