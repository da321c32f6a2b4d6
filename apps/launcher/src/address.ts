import { type AddressInfo, createServer, type Server } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { Settings } from '@holdfast/foundation/config';
import { HoldfastError } from '@holdfast/foundation/errors';
import { listenOn, service, type Service } from '@holdfast/foundation/lifecycle';
import type { Logger } from '@holdfast/foundation/logging';
import { redisFolder } from './embedded-redis/data-folder.js';

interface FreeAddress extends Service {
  /** Once started: the API's as configured, or the one that was chosen where any will do (0). */
  port(): number;
}

/** Throws CONFIG_INVALID if the API and the worker have the same port: each alone could listen on it. */
export function refuseSharedPort({ http, worker }: Pick<Settings, 'http' | 'worker'>): void {
  if (http.port === 0 || http.port !== worker.port) return;
  throw new HoldfastError('CONFIG_INVALID', undefined, {
    errors: [{ path: 'WORKER_PORT', message: 'must not be the same port as PORT' }],
  });
}

/**
 * Fails to start with CONFIG_INVALID if another program has the address of the API or the worker. The processes would find
 * out too, but by then the start might have been announced because the other program answered. With port 0 a port is chosen
 * here, so that it can be announced and a restarted API comes back on it.
 */
export function freeAddress({ http, worker }: Pick<Settings, 'http' | 'worker'>): FreeAddress {
  const { host } = http;
  let chosen = http.port;
  const lifecycle = service('address', {
    start: async () => {
      const held: Server[] = [];
      const hold = async (setting: 'PORT' | 'WORKER_PORT', port: number): Promise<number> => {
        const server = createServer();
        await listenOn(server, host, [setting, port]);
        held.push(server);
        return (server.address() as AddressInfo).port;
      };
      try {
        // Held first, so that a port chosen for the API cannot be the worker's.
        if (worker.port !== undefined) await hold('WORKER_PORT', worker.port);
        chosen = await hold('PORT', chosen);
      } finally {
        await Promise.all(held.map((server) => new Promise((resolve) => server.close(resolve))));
      }
    },
  });
  return { ...lifecycle, port: () => chosen };
}

const POLL_MS = 100;
const GIVE_UP_MS = 60_000;

/** Prints where everything is once the API answers. Prints nothing when it is stopped before. */
export async function announce(
  settings: Pick<Settings, 'http' | 'dataDir' | 'redis'>,
  log: Logger,
  stopping: AbortSignal,
): Promise<void> {
  const address = browserAddress(settings.http);
  if (!(await answers(`${address}/livez`, stopping))) {
    if (!stopping.aborted) log.warn('api.not_answering', { address, waitedMs: GIVE_UP_MS });
    return;
  }
  const attention = await hostChanged(`${address}/api/media/health`, stopping);
  const redis = settings.redis.external
    ? settings.redis.storageType
    : `embedded, in ${redisFolder(settings.dataDir)}`;
  process.stdout.write(
    [
      '',
      'Holdfast is running.',
      `  Console     ${address}/`,
      `  API         ${address} (described at ${address}/docs)`,
      `  Bull Board  ${address}/admin/queues`,
      `  Data        ${settings.dataDir}`,
      `  Redis       ${redis}`,
      ...attention,
      'Ctrl-C stops it.',
      '',
      '',
    ].join('\n'),
  );
}

interface Health {
  storage: { findings: { code: string; message: string; fix: string }[] };
}

/** What health reports when the catalog belongs to another host: files are not served until an operator decides. */
async function hostChanged(url: string, stopping: AbortSignal): Promise<string[]> {
  try {
    const signal = AbortSignal.any([stopping, AbortSignal.timeout(2_000)]);
    const health = (await (await fetch(url, { signal })).json()) as Health;
    return health.storage.findings.flatMap(({ code, message, fix }) =>
      code === 'HOST_CHANGED' ? ['', `${code}: ${message}`, fix, ''] : [],
    );
  } catch {
    return [];
  }
}

/** An address that a browser on this machine can open: not 0.0.0.0 or ::. */
export function browserAddress({ host, port }: Settings['http']): string {
  const anywhere = host === '0.0.0.0' || host === '::' || host === '';
  const name = anywhere ? 'localhost' : host.includes(':') ? `[${host}]` : host;
  return `http://${name}:${String(port)}`;
}

async function answers(url: string, stopping: AbortSignal): Promise<boolean> {
  const until = performance.now() + GIVE_UP_MS;
  while (!stopping.aborted && performance.now() < until) {
    const signal = AbortSignal.any([stopping, AbortSignal.timeout(2_000)]);
    const response = await fetch(url, { signal }).catch(() => undefined);
    await response?.body?.cancel().catch(() => undefined);
    // The API may answer although another process has refused to start.
    if (response?.ok === true && !stopping.aborted) return true;
    await delay(POLL_MS, undefined, { signal: stopping }).catch(() => undefined);
  }
  return false;
}
