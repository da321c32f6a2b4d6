import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startCloudinaryEmulator, type CloudinaryEmulator } from '@holdfast/cloudinary-emulator';
import { freePort, startRedisSandbox, type RedisSandbox, type RedisServers } from '@holdfast/shared/testing';
import { apiClient, type ApiClient } from './client.js';
import type { TestContext } from 'vitest';
import { startProgram, type Program } from './program.js';

export type HostKind = 'local' | 'cloudinary';

export interface Deployment<Servers extends RedisServers = RedisSandbox> {
  redis: Servers;
  emulator: CloudinaryEmulator | null;
  /** Environment that every process of the deployment shares. */
  env: Record<string, string>;
  startApi(over?: Record<string, string>): Promise<{ program: Program; client: ApiClient }>;
  startWorker(over?: Record<string, string>): Promise<Program>;
  close(): Promise<void>;
}

/** Redis, a media host and a data folder of its own; processes are started one by one. Everything ends with `close`. */
export async function createDeployment(
  host: HostKind,
  over: Record<string, string> = {},
): Promise<Deployment> {
  return createDeploymentOn(await startRedisSandbox(), host, over);
}

/** One that ends with its test. `redisArgs` come after those of the sandbox. */
export async function deploymentOf(
  { onTestFinished }: Pick<TestContext, 'onTestFinished'>,
  host: HostKind = 'cloudinary',
  over: Record<string, string> = {},
  redisArgs: readonly string[] = [],
): Promise<Deployment> {
  const deployment = await createDeploymentOn(await startRedisSandbox(redisArgs), host, over);
  onTestFinished(() => deployment.close());
  return deployment;
}

/** The same on servers of the test's choice, which end with the deployment. */
export async function createDeploymentOn<Servers extends RedisServers>(
  redis: Servers,
  host: HostKind,
  over: Record<string, string> = {},
): Promise<Deployment<Servers>> {
  const dataDir = await mkdtemp(join(tmpdir(), 'holdfast-e2e-'));
  const emulator = host === 'cloudinary' ? await startCloudinaryEmulator() : null;
  const programs: Program[] = [];
  // The local host's addresses name the API; all processes must agree on it.
  const port = await freePort();
  const env: Record<string, string> = {
    ...redis.env,
    DATA_DIR: dataDir,
    PUBLIC_URL: `http://127.0.0.1:${String(port)}`,
    AUTO_SYNC_ON_STARTUP: 'false',
    SAVE_BACKOFF_MS: '100',
    ...(emulator === null ? {} : { CLOUDINARY_URL: emulator.cloudinaryUrl }),
    ...over,
  };
  let first = true;
  return {
    redis,
    emulator,
    env,
    startApi: async (more = {}) => {
      const ownPort = first ? port : await freePort();
      first = false;
      const program = startProgram('apps/api/dist/main.js', { ...env, PORT: String(ownPort), ...more });
      programs.push(program);
      const client = apiClient(`http://127.0.0.1:${String(ownPort)}`);
      await program.waitForLog((line) => line.message === 'http.listening');
      return { program, client };
    },
    startWorker: async (more = {}) => {
      const program = startProgram('apps/worker/dist/main.js', { ...env, ...more });
      programs.push(program);
      await program.waitForLog((line) => line.message === 'worker.started');
      return program;
    },
    close: async () => {
      await Promise.all(programs.map((program) => program.kill()));
      await emulator?.close();
      await redis.close();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}
