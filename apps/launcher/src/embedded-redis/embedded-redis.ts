import { access, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { HoldfastError } from '@holdfast/foundation/errors';
import { onceEach, type Service } from '@holdfast/foundation/lifecycle';
import type { Logger } from '@holdfast/foundation/logging';
import type { ProcessRegistry } from '../processes/processes.js';
import { supervise } from '../processes/supervise.js';
import { inDataFolder } from './data-folder.js';
import {
  chooseRedisServer,
  listRedisServers,
  recallServer,
  rememberServer,
  type ServerProgram,
} from './redis-program.js';
import {
  connectToServer,
  infoField,
  launchServer,
  recordAddress,
  type ServerAddress,
  type ServerLaunch,
} from './redis-server.js';

interface EmbeddedRedisOptions {
  directory: string;
  address: ServerAddress;
  lockFd: number;
  registry: ProcessRegistry;
  log: Logger;
  searchPath: string;
}

/** Time between SIGTERM and SIGKILL: the server only closes its file, whose writes are all synced. */
export const REDIS_STOP_MS = 10_000;

/** A real server as a child process, on its own address. Its data survives any kind of end. */
export function embeddedRedis(options: EmbeddedRedisOptions): Service {
  const { directory, address, log, searchPath } = options;
  let server: Service | undefined;
  let preparing: Promise<ServerProgram> | undefined;
  let stopping = false;

  const prepare = async (): Promise<ServerProgram> => {
    const program = chooseRedisServer(
      await listRedisServers(searchPath),
      await recallServer(directory),
      directory,
    );
    await rememberServer(directory, program);
    await recordAddress(directory, address);
    if (!stopping && (await holdsSnapshotOnly(directory))) await adoptSnapshot({ ...options, program });
    return program;
  };
  const start = async (): Promise<void> => {
    preparing = prepare();
    const program = await preparing;
    if (stopping) throw new HoldfastError('SHUTTING_DOWN');
    server = supervise(
      {
        name: 'redis',
        launch: async () => launchServer({ ...options, program, appendOnly: true }),
        stopBudgetMs: REDIS_STOP_MS,
        beforeRestart: (stopped) => waitForFreeSpace(directory, log, stopped),
      },
      log,
    );
    await server.start();
    log.info('redis.ready', { kind: program.kind, version: program.version, directory });
  };
  return {
    name: 'redis',
    ...onceEach({
      start: () => inDataFolder(directory, start),
      stop: async (deadline) => {
        stopping = true;
        // Otherwise a start without a server yet would launch one after the stop, and nothing would end it.
        await preparing?.catch(() => undefined);
        await server?.stop(deadline);
      },
    }),
  };
}

const POLL_MS = 50;
const STOP_MS = 30_000;

/** Whether the folder has a snapshot and no append-only file: an appending server would start empty on it. */
async function holdsSnapshotOnly(directory: string): Promise<boolean> {
  // The manifest, not its folder: the folder is made before the first rewrite is complete.
  const appendOnlyFiles = [join('appendonlydir', 'appendonly.aof.manifest'), 'appendonly.aof'];
  for (const file of appendOnlyFiles) if (await exists(join(directory, file))) return false;
  return exists(join(directory, 'dump.rdb'));
}

/** Loads the snapshot without appending, then switches appending on and waits for the first rewrite. */
async function adoptSnapshot(launch: Omit<ServerLaunch, 'appendOnly'>): Promise<void> {
  const { address, log, directory } = launch;
  log.info('redis.snapshot_found', { directory });
  const server = await launchServer({ ...launch, appendOnly: false });
  const client = connectToServer(address);
  try {
    await server.ready;
    await client.config('SET', 'appendonly', 'yes');
    while (!isRewritten(await client.info('persistence'))) await delay(POLL_MS);
    log.info('redis.snapshot_adopted', { keys: await client.dbsize() });
  } catch (error) {
    throw new HoldfastError('REDIS_START_FAILED', `The snapshot in ${directory} cannot be loaded`, {
      cause: error,
    });
  } finally {
    client.disconnect();
    await server.stop(STOP_MS, AbortSignal.timeout(STOP_MS));
  }
}

function isRewritten(info: string): boolean {
  const idle = ['aof_rewrite_in_progress', 'aof_rewrite_scheduled'].every(
    (field) => infoField(info, field) === '0',
  );
  if (infoField(info, 'aof_enabled') !== '1' || !idle) return false;
  if (infoField(info, 'aof_last_bgrewrite_status') === 'ok') return true;
  throw new HoldfastError('REDIS_START_FAILED', 'The first rewrite of the append-only file failed');
}

async function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}

/** With fsync on every write the server exits when the disk is full. With less room than this it would exit again at once. */
const NEEDED_BYTES = 16_000_000;
const CHECK_MS = 2_000;

/** Resolves once the disk has room for a restart, or `stopping` aborts. Logs the wait. */
export async function waitForFreeSpace(
  directory: string,
  log: Logger,
  stopping: AbortSignal,
  neededBytes = NEEDED_BYTES,
): Promise<void> {
  let logged = false;
  while (!stopping.aborted) {
    const { bavail, bsize } = await statfs(directory);
    const freeBytes = bavail * bsize;
    if (freeBytes >= neededBytes) {
      if (logged) log.info('redis.disk_has_room', { directory, freeBytes });
      return;
    }
    if (!logged) log.error('redis.disk_full', { directory, freeBytes, neededBytes });
    logged = true;
    await delay(CHECK_MS, undefined, { signal: stopping }).catch(() => undefined);
  }
}
