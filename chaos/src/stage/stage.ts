import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { connectToEmulator, type EmulatorControl } from '@holdfast/cloudinary-emulator';
import { freePort, startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { until } from '../until.js';
import { startFaultProxy, type FaultProxy } from '@holdfast/shared/testing';
import { repositoryFile, startPart, type Part } from './part.js';
import { redisFaults, type RedisFaults } from './redis-faults.js';

/** An API or a worker, and the links it has to go through. */
export interface LinkedPart extends Part {
  redisLink: FaultProxy;
  hostLink: FaultProxy;
}

/** A whole deployment of real processes: what the faults happen to. */
export interface Stage {
  apis: LinkedPart[];
  workers: LinkedPart[];
  /** The emulated host, past the faulty links. */
  host: EmulatorControl;
  /** A connection past the faulty links. */
  redis: RedisSandbox['client'];
  redisFaults: RedisFaults;
  /** Stops everything; what did not end as it should. */
  close(): Promise<string[]>;
}

export interface StageOptions {
  /** For the host's files and all logs. */
  folder: string;
  apis: number;
  workers: number;
}

const START_WITHIN_MS = 60_000;

export async function openStage({ folder, apis, workers }: StageOptions): Promise<Stage> {
  const ends: (() => Promise<unknown>)[] = [];
  const unclean: string[] = [];
  const close = async (): Promise<string[]> => {
    // Before the links they use, all at once.
    await Promise.all(
      parts.map(async (part) => (await part.stop()) || unclean.push(`${part.name} did not stop`)),
    );
    for (let end = ends.pop(); end !== undefined; end = ends.pop()) await end();
    return unclean;
  };
  const parts: Part[] = [];
  try {
    const redis = await startRedisSandbox();
    ends.push(() => redis.close());
    const { host, port: hostPort } = await startHost(folder, ends);
    const link = async (port: number) => {
      const proxy = await startFaultProxy(port);
      ends.push(() => proxy.close());
      return proxy;
    };
    const start = async (role: 'api' | 'worker', number: number): Promise<LinkedPart> => {
      const [redisLink, hostLink, port] = [await link(redis.port), await link(hostPort), await freePort()];
      const name = `${role}-${String(number)}`;
      const part = startPart({
        name,
        file: repositoryFile(`apps/${role}/dist/main.js`),
        url: `http://127.0.0.1:${String(port)}`,
        logFile: join(folder, `${name}.log`),
        env: {
          REDIS_URL: `redis://127.0.0.1:${String(redisLink.port)}`,
          CLOUDINARY_URL: host.cloudinaryUrl.replace(/:\d+$/, `:${String(hostLink.port)}`),
          DATA_DIR: join(folder, 'data'),
          LOG_FORMAT: 'json',
          [role === 'api' ? 'PORT' : 'WORKER_PORT']: String(port),
        },
      });
      parts.push(part);
      return { ...part, redisLink, hostLink };
    };
    const numbered = (count: number): number[] =>
      Array.from({ length: count }, (_unused, index) => index + 1);
    const stage: Stage = {
      apis: await Promise.all(numbered(apis).map((number) => start('api', number))),
      workers: await Promise.all(numbered(workers).map((number) => start('worker', number))),
      host,
      redis: redis.client,
      redisFaults: redisFaults(redis, await freePort()),
      close,
    };
    if (!(await until(START_WITHIN_MS, 100, () => areReady(stage))))
      throw new Error(`the processes did not become ready; their logs are in ${folder}`);
    return stage;
  } catch (error) {
    await close();
    throw error;
  }
}

/** Whether every process says that it can work. */
export async function areReady({ apis, workers }: Pick<Stage, 'apis' | 'workers'>): Promise<boolean> {
  const answers = await Promise.all(
    [...apis, ...workers].map(async ({ url }) => {
      const answer = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(2_000) });
      await answer.arrayBuffer();
      return answer.ok;
    }),
  );
  return answers.every(Boolean);
}

async function startHost(
  folder: string,
  ends: (() => Promise<unknown>)[],
): Promise<{ host: EmulatorControl; port: number }> {
  const port = await freePort();
  const url = `http://127.0.0.1:${String(port)}`;
  const part = startPart({
    name: 'host',
    file: fileURLToPath(new URL('main.js', import.meta.resolve('@holdfast/cloudinary-emulator'))),
    url,
    logFile: join(folder, 'host.log'),
    env: { PORT: String(port), EMULATOR_BYTES: 'disk', EMULATOR_DIRECTORY: join(folder, 'host') },
  });
  ends.push(() => part.stop());
  const answers = async (): Promise<boolean> => (await fetch(`${url}/__emulator`)).ok;
  if (!(await until(START_WITHIN_MS, 50, answers))) throw new Error('the emulated host did not start');
  return { host: await connectToEmulator(url), port };
}
