import type { EmulatorControl } from '@holdfast/cloudinary-emulator';
import { until } from '../until.js';
import { awaitVerified } from './await-verified.js';
import { startBareFlow } from './bare-flow.js';
import { startBareApp } from './bare-programs.js';
import type { CleanUp } from './clean-up.js';
import { startEmulator } from './emulator-process.js';
import { serverPid, startHoldfast } from './holdfast.js';

export type SideName = 'bare' | 'queued' | 'ours';

/** One service that takes uploads. Its media host is its own, so that a sync finds none of the others' files. */
export interface UploadSide {
  address: string;
  host: EmulatorControl;
  pids: readonly number[];
  /** Resolves once so many uploads more, all that were answered, are through its jobs. */
  processed(count: number): Promise<void>;
  /** Resolves once nothing is left that would slow the next side's turn. */
  settle(): Promise<void>;
}

/** The bare app, the queued app (`bare-app.ts`) and Holdfast; the latter two share a Redis server. */
export async function startUploadSides(cleanUp: CleanUp): Promise<Record<SideName, UploadSide>> {
  const holdfast = await startHoldfast(cleanUp);
  const { folder, redis, keys } = holdfast;
  const redisPid = await serverPid(redis);
  const nothing = async (): Promise<void> => undefined;

  const bareHost = await startEmulator(folder, cleanUp);
  const bare = await startBareApp(bareHost.cloudinaryUrl, folder, cleanUp);

  const flow = await startBareFlow(redis, folder, cleanUp);
  const queuedHost = await startEmulator(folder, cleanUp);
  const queued = await startBareApp(queuedHost.cloudinaryUrl, folder, cleanUp, flow.url);
  let flows = 0;

  return {
    bare: {
      address: `${bare.url}/upload`,
      host: bareHost,
      pids: [bare.program.pid],
      processed: nothing,
      settle: nothing,
    },
    queued: {
      address: `${queued.url}/upload`,
      host: queuedHost,
      pids: [queued.program.pid, flow.worker.pid, redisPid],
      processed: (count) => {
        flows += count;
        return until('all empty jobs done', 60_000, 3, async () => (await flow.completed()) === flows);
      },
      settle: nothing,
    },
    ours: {
      address: `${holdfast.url}/api/media/upload`,
      host: holdfast.emulator,
      pids: [holdfast.api.pid, holdfast.worker.pid, redisPid],
      processed: () => awaitVerified(redis.client, keys),
      settle: () => holdfast.settle(),
    },
  };
}
