import { createServer } from 'node:net';
import { listenOn, service, type Service } from '@holdfast/shared/lifecycle';

/**
 * Fails to start with CONFIG_INVALID where another program has the API's address. The API finds that out too, but by
 * then the other program may have answered for it, and the start would have been announced.
 */
export function freeAddress({ host, port }: { host: string; port: number }): Service {
  return service('address', {
    start: async () => {
      const server = createServer();
      await listenOn(server, { host, port, settings: { host: 'HOST', port: 'PORT' } });
      await new Promise((resolve) => {
        server.close(resolve);
      });
    },
  });
}
