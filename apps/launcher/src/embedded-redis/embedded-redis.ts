import type { Service } from '@holdfast/shared/lifecycle';
import type { Logger } from '@holdfast/shared/logging';
import { restartBackoff } from '../processes/backoff.js';
import type { ProcessRegistry } from '../processes/process-registry.js';
import { supervise } from '../processes/supervise.js';
import { adoptSnapshot, holdsSnapshotOnly } from './adopt-snapshot.js';
import { chooseRedisServer, listRedisServers } from './find-redis-server.js';
import { waitForFreeSpace } from './free-space.js';
import { launchServer } from './launch-server.js';
import { recallServer, rememberServer } from './remembered-server.js';
import type { ServerAddress } from './server-address.js';

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
  const { directory, log, searchPath } = options;
  let server: Service | undefined;
  return {
    name: 'redis',
    start: async () => {
      const program = chooseRedisServer(
        await listRedisServers(searchPath),
        await recallServer(directory),
        directory,
      );
      await rememberServer(directory, program);
      const launch = { ...options, program };
      if (await holdsSnapshotOnly(directory)) await adoptSnapshot(launch);
      server = supervise(
        {
          name: 'redis',
          launch: async () => launchServer({ ...launch, appendOnly: true }),
          stopBudgetMs: REDIS_STOP_MS,
          beforeRestart: (stopping) => waitForFreeSpace(directory, log, stopping),
        },
        log,
        restartBackoff,
      );
      await server.start();
      log.info('redis.ready', { kind: program.kind, version: program.version, directory });
    },
    stop: async (deadline) => server?.stop(deadline),
  };
}
