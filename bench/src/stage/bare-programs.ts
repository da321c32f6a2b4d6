import { fileURLToPath } from 'node:url';
import { freePort } from '@holdfast/shared/testing';
import type { CleanUp } from './clean-up.js';
import { startProgram, type Program } from './program.js';

const programFile = (name: string): string =>
  fileURLToPath(new URL(`../programs/${name}.js`, import.meta.url));

/** What Holdfast's uploads are measured against; with a Redis the queued app (`bare-app.ts`). */
export async function startBareApp(
  cloudinaryUrl: string,
  folder: string,
  cleanUp: CleanUp,
  redisUrl?: string,
): Promise<{ url: string; program: Program }> {
  const port = String(await freePort());
  const url = `http://127.0.0.1:${port}`;
  const env = {
    CLOUDINARY_URL: cloudinaryUrl,
    PORT: port,
    ...(redisUrl !== undefined && { REDIS_URL: redisUrl }),
  };
  const program = await startProgram(programFile('bare-app'), env, folder, cleanUp);
  await program.waitFor(`${url}/livez`);
  return { url, program };
}

/** The workers of the queued app, which do nothing for empty jobs. */
export const startBareWorker = startOnRedis('bare-worker');

/** What its idle commands are measured against: BullMQ as it comes. */
export const startDefaultFleet = startOnRedis('default-fleet');

function startOnRedis(name: string) {
  return async (redisUrl: string, folder: string, cleanUp: CleanUp): Promise<Program> => {
    const port = String(await freePort());
    const program = await startProgram(
      programFile(name),
      { REDIS_URL: redisUrl, PORT: port },
      folder,
      cleanUp,
    );
    await program.waitFor(`http://127.0.0.1:${port}`);
    return program;
  };
}
