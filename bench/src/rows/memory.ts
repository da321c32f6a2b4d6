import { setTimeout as passTime } from 'node:timers/promises';
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
/** Node gives memory back once nothing has been allocated for a while: rest begins then. */
const REST_MS = 30_000;

/** Memory at rest after some use, and what fifty large uploads at once add to it; the bare app beside it. */
export const memory: MeasureRow = async (_options, cleanUp) => {
  const holdfast = await startHoldfast(cleanUp);
  const { api, worker, url, folder } = holdfast;
  const bareHost = await startEmulator(folder, cleanUp);
  const bare = await startBareApp(bareHost.cloudinaryUrl, folder, cleanUp);
  const [ourAddress, theirAddress] = [`${url}/api/media/upload`, `${bare.url}/upload`];
  for (const address of [ourAddress, theirAddress]) {
    const client = uploadClient(address, 100_000);
    await inParallel(100, 1, () => client.upload());
    client.close();
  }
  await holdfast.settle();

  const resident = async (): Promise<[number, number]> => [
    (await residentMemory(api.pid)).nowMb,
    (await residentMemory(worker.pid)).nowMb,
  ];
  const afterUse = await resident();
  await passTime(REST_MS);
  const atRest = await resident();
  const grown = async (pid: number, address: string): Promise<number> => {
    const idle = (await residentMemory(pid)).nowMb;
    await forgetPeak(pid);
    await inParallel(CLIENTS, CLIENTS, () => uploadLarge(address, LARGE_BYTES));
    return (await residentMemory(pid)).peakMb - idle;
  };
  const apiGrown = await grown(api.pid, ourAddress);
  const bareGrown = await grown(bare.program.pid, theirAddress);
  const together = ([one, other]: [number, number]): Pick<Figure, 'ours' | 'value'> => ({
    ours: `${round(one)} + ${round(other)} MB`,
    value: one + other,
  });
  const figure = (
    what: string,
    { ours, value }: Pick<Figure, 'ours' | 'value'>,
    limit: number | null,
    against = '',
  ): Figure => ({
    what,
    ours,
    against,
    value,
    unit: 'MB',
    spread: null,
    target: limit === null ? null : { atMost: limit },
  });
  return [
    figure(
      'API, 50 clients upload 20 MB each, above idle',
      { ours: `+${round(apiGrown)} MB`, value: apiGrown },
      120,
      `+${round(bareGrown)} MB (bare app)`,
    ),
    figure('API and worker right after 100 uploads', together(afterUse), null),
    figure('API and worker at rest, half a minute later', together(atRest), 250),
  ];
};
