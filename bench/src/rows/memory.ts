import type { Figure } from '../figure.js';
import { round } from '../report.js';
import type { MeasureRow } from '../row.js';
import { startBareApp } from '../stage/bare-programs.js';
import { startEmulator } from '../stage/emulator-process.js';
import { startHoldfast } from '../stage/holdfast.js';
import { forgetPeak, residentMemory } from '../stage/resident-memory.js';
import { uploadClient, uploadLarge } from '../stage/upload-client.js';
import { inParallel } from '../stage/in-parallel.js';

const CLIENTS = 50;
const LARGE_BYTES = 20_000_000;

/** Memory at rest after some use, and what fifty large uploads at once add to it; the bare app beside it. */
export const memory: MeasureRow = async (_options, cleanUp) => {
  const holdfast = await startHoldfast(cleanUp);
  const { api, worker, url, folder } = holdfast;
  const bareHost = await startEmulator(folder, cleanUp);
  const bare = await startBareApp(bareHost.cloudinaryUrl, folder, cleanUp);
  const [ours, theirs] = [`${url}/api/media/upload`, `${bare.url}/upload`];
  for (const address of [ours, theirs]) {
    const client = uploadClient(address, 100_000);
    await inParallel(100, 1, () => client.upload());
    client.close();
  }
  await holdfast.settle();

  const apiAtRest = (await residentMemory(api.pid)).nowMb;
  const workerAtRest = (await residentMemory(worker.pid)).nowMb;
  const grown = async (pid: number, address: string): Promise<number> => {
    const idle = (await residentMemory(pid)).nowMb;
    await forgetPeak(pid);
    await inParallel(CLIENTS, CLIENTS, () => uploadLarge(address, LARGE_BYTES));
    return (await residentMemory(pid)).peakMb - idle;
  };
  const apiGrown = await grown(api.pid, ours);
  const bareGrown = await grown(bare.program.pid, theirs);
  const figure = (what: string, value: number, limit: number, sides: [string, string]): Figure => ({
    what,
    ours: sides[0],
    against: sides[1],
    value,
    unit: 'MB',
    spread: null,
    target: { atMost: limit },
  });
  return [
    figure('API, 50 clients upload 20 MB each, above idle', apiGrown, 120, [
      `+${round(apiGrown)} MB`,
      `+${round(bareGrown)} MB (bare app)`,
    ]),
    figure('API and worker at rest after 100 uploads', apiAtRest + workerAtRest, 250, [
      `${round(apiAtRest)} + ${round(workerAtRest)} MB`,
      '',
    ]),
  ];
};
