import { createServer, type AddressInfo, type Server } from 'node:net';
import type { Settings } from '@holdfast/shared/config';
import { HoldfastError } from '@holdfast/shared/errors';
import { listenOn, service, type Service } from '@holdfast/shared/lifecycle';

export interface FreeAddress extends Service {
  /** Once started: the API's as configured, or the one that was chosen where any will do (0). */
  port(): number;
}

/** Throws CONFIG_INVALID where the API and the worker are to listen on one port: each of them alone could have it. */
export function refuseSharedPort({ http, worker }: Pick<Settings, 'http' | 'worker'>): void {
  if (http.port === 0 || http.port !== worker.port) return;
  throw new HoldfastError('CONFIG_INVALID', undefined, {
    errors: [{ path: 'WORKER_PORT', message: 'must not be the same port as PORT' }],
  });
}

/**
 * Fails to start with CONFIG_INVALID where another program has the API's address or the worker's. The parts find that out too, but by
 * then the API may have answered, or the other program for it, and the start would have been announced. Where any port will do
 * for the API one is chosen here: it can be told, and an API that died comes back on it.
 */
export function freeAddress({ http, worker }: Pick<Settings, 'http' | 'worker'>): FreeAddress {
  const { host } = http;
  let chosen = http.port;
  const lifecycle = service('address', {
    start: async () => {
      const held: Server[] = [];
      const hold = async (port: number, setting: string): Promise<number> => {
        const server = createServer();
        await listenOn(server, { host, port, settings: { host: 'HOST', port: setting } });
        held.push(server);
        return (server.address() as AddressInfo).port;
      };
      try {
        // First, and held meanwhile: a port chosen for the API must not be the worker's.
        if (worker.port !== undefined) await hold(worker.port, 'WORKER_PORT');
        chosen = await hold(chosen, 'PORT');
      } finally {
        await Promise.all(held.map((server) => new Promise((resolve) => server.close(resolve))));
      }
    },
  });
  return { ...lifecycle, port: () => chosen };
}
