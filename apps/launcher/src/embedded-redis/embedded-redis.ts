import { HoldfastError } from '@holdfast/shared/errors';
import { onceEach, type Service } from '@holdfast/shared/lifecycle';
import type { Logger } from '@holdfast/shared/logging';
import { restartBackoff } from '../processes/backoff.js';
import type { ProcessRegistry } from '../processes/process-registry.js';
import { supervise } from '../processes/supervise.js';
import { adoptSnapshot, holdsSnapshotOnly } from './adopt-snapshot.js';
import { chooseRedisServer, listRedisServers } from './find-redis-server.js';
import { waitForFreeSpace } from './free-space.js';
import { inDataFolder } from './in-data-folder.js';
import { launchServer } from './launch-server.js';
import { recallServer, rememberServer } from './remembered-server.js';
import type { ServerAddress } from './server-address.js';
import type { ServerProgram } from './server-program.js';
import { tellAddress } from './told-address.js';

export interface EmbeddedRedisOptions {
  directory: string;
  address: ServerAddress;
  lockFd: number;
  registry: ProcessRegistry;
  log: Logger;
  searchPath: string;
}

/** Time between SIGTERM and SIGKILL: it only has to close its file, every write of which is synced already. */
export const REDIS_STOP_MS = 10_000;

/** A real server as a child process, on an address of its own. Its data outlives any kind of end. */
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
    await tellAddress(directory, address);
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
      restartBackoff,
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
        // Else a start that has no server yet would launch one after the stop, which nobody ends.
        await preparing?.catch(() => undefined);
        await server?.stop(deadline);
      },
    }),
  };
}
