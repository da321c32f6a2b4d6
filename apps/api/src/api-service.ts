import { isLoopback, type Environment, type Settings } from '@holdfast/foundation/config';
import { service, type Service } from '@holdfast/foundation/lifecycle';
import type { Logger } from '@holdfast/foundation/logging';
import { createApp } from './app.js';
import { openDependencies, type Dependencies } from './dependencies.js';
import { httpServer } from './http/http-server.js';

/** The whole API as one service: what it stands on, then the server; stopped in the other order. */
export function apiService(settings: Settings, log: Logger, env: Environment): Service {
  let deps: Dependencies | undefined;
  let server: Service | undefined;
  return service('api', {
    start: async () => {
      deps = await openDependencies(settings, log, env);
      warnOfUnreachableFiles(settings, log);
      server = apiServer(deps);
      try {
        await server.start();
      } catch (error) {
        await deps.close();
        throw error;
      }
    },
    stop: async (deadline) => {
      await server?.stop(deadline);
      await deps?.close();
    },
  });
}

/** The server of the API, over what was opened for it. */
export function apiServer(deps: Dependencies): Service {
  const { settings, shutdown, address, log } = deps;
  return httpServer({
    app: createApp(deps),
    host: settings.http.host,
    port: settings.http.port,
    maxBodyBytes: settings.uploads.maxBytes,
    access: settings.access,
    shutdown,
    address,
    log,
  });
}

/** The addresses of files on the local host begin with PUBLIC_URL. Without it other machines cannot follow them. */
function warnOfUnreachableFiles({ http, host }: Settings, log: Logger): void {
  if (host.kind !== 'local' || http.publicUrl !== undefined || isLoopback(http.host)) return;
  log.warn('http.no_public_url', { host: http.host });
}
