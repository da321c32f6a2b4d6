import { readServingSettings, type Environment } from '@holdfast/foundation/config';
import { runUntilSignal, stack, type Service } from '@holdfast/foundation/lifecycle';
import { createLogger, type Logger } from '@holdfast/foundation/logging';
import { announce, freeAddress, refuseSharedPort } from './address.js';
import { openDataFolder, redisFolder, type DataFolder } from './embedded-redis/data-folder.js';
import { embeddedRedis, REDIS_STOP_MS } from './embedded-redis/embedded-redis.js';
import { addressSetting, chooseAddress } from './embedded-redis/redis-server.js';
import { withoutEmbedded } from './environment.js';
import { launchNodePart, type NodePart, supervise } from './processes/supervise.js';
import { createGuard } from './processes/guard.js';
import { registerWith, type ProcessRegistry } from './processes/processes.js';

/** A process ends itself within its own budget; this much later it is killed. */
const PART_MARGIN_MS = 1_000;

/**
 * Runs the processes, and an embedded Redis if none is configured, until a signal comes. Ends the process.
 * Throws CONFIG_INVALID, DATA_DIR_IN_USE and the errors of the embedded server before anything runs.
 */
export async function launch(given: Environment, parts: readonly NodePart[]): Promise<void> {
  const env = withoutEmbedded(given);
  const settings = readServingSettings(env);
  refuseSharedPort(settings);
  const log = createLogger(settings.log, { process: 'launcher' });
  const folder = settings.redis.external
    ? undefined
    : await openDataFolder(redisFolder(settings.dataDir), log);
  const stopping = new AbortController();
  let refusal: number | undefined;

  const guard = createGuard({ log, lockFd: folder?.lockFd, ownRegistry: folder?.registry });
  const registry = folder === undefined ? guard : registerWith(guard, folder.registry);
  const redis = folder === undefined ? undefined : await ownRedis(folder, given['PATH'] ?? '', registry, log);
  const address = freeAddress(settings);
  const runningParts = parts.map((part) =>
    supervise(
      {
        name: part.name,
        launch: () => launchNodePart(part, { ...env, ...redis?.env, PORT: String(address.port()) }, registry),
        stopBudgetMs: settings.shutdownTimeoutMs + PART_MARGIN_MS,
        onRefusal: (code) => {
          refusal ??= code;
          process.kill(process.pid, 'SIGTERM');
        },
      },
      log,
    ),
  );
  const services = stack([guard, address, redis?.service ?? [], runningParts], log);
  const whole: Service = {
    name: 'launcher',
    start: async () => {
      await services.start();
      const http = { ...settings.http, port: address.port() };
      void announce({ ...settings, http }, log, stopping.signal);
    },
    stop: async (deadline) => {
      stopping.abort();
      folder?.announceClose();
      await services.stop(deadline);
      folder?.close();
    },
  };
  // The terminal was closed.
  process.on('SIGHUP', () => process.kill(process.pid, 'SIGTERM'));
  await runUntilSignal(whole, {
    log,
    // The stop is cut short at 80 % of this, so Redis has its full time after parts that used all of theirs.
    shutdownTimeoutMs: (settings.shutdownTimeoutMs + PART_MARGIN_MS + REDIS_STOP_MS) / 0.8,
    exit: (code) => process.exit(refusal ?? code),
  });
}

async function ownRedis(
  { directory, lockFd }: DataFolder,
  searchPath: string,
  registry: ProcessRegistry,
  log: Logger,
): Promise<{ service: Service; env: Environment }> {
  const address = await chooseAddress(directory);
  return {
    service: embeddedRedis({ directory, address, lockFd, registry, log, searchPath }),
    env: { HOLDFAST_EMBEDDED_REDIS: addressSetting(address) },
  };
}
