import { createServer, type AddressInfo } from 'node:net';
import { listenOn, service, type Service } from '@holdfast/shared/lifecycle';

export interface FreeAddress extends Service {
  /** Once started: as configured, or the port that was chosen where any will do (0). */
  port(): number;
}

/**
 * Fails to start with CONFIG_INVALID where another program has the API's address. The API finds that out too, but by
 * then the other program may have answered for it, and the start would have been announced. Where any port will do one is chosen
 * here: it can be told, and an API that died comes back on it.
 */
export function freeAddress({ host, port }: { host: string; port: number }): FreeAddress {
  let chosen = port;
  const lifecycle = service('address', {
    start: async () => {
      const server = createServer();
      await listenOn(server, { host, port: chosen, settings: { host: 'HOST', port: 'PORT' } });
      chosen = (server.address() as AddressInfo).port;
      await new Promise((resolve) => {
        server.close(resolve);
      });
    },
  });
  return { ...lifecycle, port: () => chosen };
}
