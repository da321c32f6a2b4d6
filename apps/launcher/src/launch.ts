import { type AddressInfo, createServer } from 'node:net';
import { readServingSettings, type Environment, type Settings } from '@holdfast/foundation/config';
import { listenOn, runUntilSignal, service, stack } from '@holdfast/foundation/lifecycle';
import { createLogger } from '@holdfast/foundation/logging';
import { redisFolder } from './data-folder.js';
import { embeddedRedis, REDIS_STOP_MS } from './embedded-redis.js';
import { withoutEmbedded } from './environment.js';
import { launchNodePart, supervise } from './supervise.js';

/** A process ends itself within its own budget; this much later it is killed. */
const PART_MARGIN_MS = 1_000;

/**
 * Runs the processes, whose main files `parts` has by name, and an embedded Redis if none is configured, until a signal comes. Ends the process.
 * Throws CONFIG_INVALID, DATA_DIR_IN_USE and the errors of the embedded server.
 */
export async function launch(given: Environment, parts: Readonly<Record<string, string>>): Promise<void> {
  const env = withoutEmbedded(given);
  const settings = readServingSettings(env);
  const log = createLogger(settings.log, 'launcher');
  const redis = settings.redis.external
    ? undefined
    : await embeddedRedis(settings.dataDir, given['PATH'] ?? '', log);
  // Chosen here where any will do: it is announced, and a restarted API comes back on it.
  const port = settings.http.port === 0 ? await freePort(settings.http.host) : settings.http.port;
  const partEnv = { ...env, PORT: String(port), HOLDFAST_EMBEDDED_REDIS: redis?.socket };
  const stopBudgetMs = settings.shutdownTimeoutMs + PART_MARGIN_MS;
  const runningParts = Object.entries(parts).map(([name, script]) =>
    supervise(name, () => launchNodePart(name, script, partEnv), stopBudgetMs, log),
  );
  // Started last, stopped first.
  const whole = service('launcher', {
    start: () => void process.stdout.write(announcement(settings, port)),
    stop: () => redis?.announceClose(),
  });
  // The terminal was closed.
  process.on('SIGHUP', () => process.kill(process.pid, 'SIGTERM'));
  // The stop is cut short at 80 % of this, so Redis has its full time after parts that used all of theirs.
  const shutdownTimeoutMs = (stopBudgetMs + REDIS_STOP_MS) / 0.8;
  await runUntilSignal(stack([redis ?? [], runningParts, whole], log), shutdownTimeoutMs, log);
}

async function freePort(host: string): Promise<number> {
  const server = createServer();
  await listenOn(server, host, 0);
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}

function announcement({ http, dataDir, redis }: Settings, port: number): string {
  const address = browserAddress(http.host, port);
  return `
Holdfast is running.
  Console     ${address}/
  API         ${address} (described at ${address}/docs)
  Bull Board  ${address}/admin/queues
  Data        ${dataDir}
  Redis       ${redis.external ? redis.storageType : `embedded, in ${redisFolder(dataDir)}`}
Ctrl-C stops it.

`;
}

/** An address that a browser on this machine can open: not 0.0.0.0 or ::. */
export function browserAddress(host: string, port: number): string {
  const anywhere = host === '0.0.0.0' || host === '::' || host === '';
  const name = anywhere ? 'localhost' : host.includes(':') ? `[${host}]` : host;
  return `http://${name}:${String(port)}`;
}
