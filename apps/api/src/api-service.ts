import express, { type Express } from 'express';
import helmet from 'helmet';
import { isLoopback, type Environment, type Settings } from '@holdfast/foundation/config';
import { HoldfastError } from '@holdfast/foundation/errors';
import { service, type Service } from '@holdfast/foundation/lifecycle';
import type { Logger } from '@holdfast/foundation/logging';
import { openDependencies, type Dependencies } from './dependencies.js';
import { cors, requireHost } from './http/foreign-pages.js';
import { httpServer } from './http/http-server.js';
import { mountRoutes } from './http/mount-routes.js';
import { errorHandler } from './http/problems.js';
import { limitFailedLogins, limitWrites } from './http/rate-limit.js';
import { boundEarlyAnswers } from './http/request-bodies.js';
import { requestContext, requestLog } from './http/request-context.js';
import { closeWhileDraining } from './http/shutdown.js';
import { countRequests } from './metrics/api-metrics.js';
import { routes } from './routes.js';

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

/** The API without a port and without signals. */
function createApp(deps: Dependencies): Express {
  const { settings, log, keys, redis, shutdown } = deps;
  const app = express();
  app.disable('x-powered-by');
  app.set('etag', false);
  app.set('trust proxy', settings.access.trustProxy);
  app.use(
    requestContext(log),
    requestLog(),
    countRequests(deps.metrics.http),
    boundEarlyAnswers(),
    requireHost(settings),
    closeWhileDraining(shutdown),
    // For answers that are data. Pages and files set their own policy over it.
    helmet({
      contentSecurityPolicy: {
        useDefaults: false,
        directives: { 'default-src': ["'none'"], 'frame-ancestors': ["'none'"] },
      },
      xFrameOptions: { action: 'deny' },
      // TLS ends in front of us: its operator decides whether a name has only TLS.
      strictTransportSecurity: false,
    }),
    cors(settings.access.corsOrigins),
  );
  app.use(
    mountRoutes(routes(deps), {
      settings,
      limitWrites: limitWrites({
        redis: redis.request,
        keys,
        perMinute: settings.access.rateLimitPerMinute,
      }),
      limitFailedLogins: limitFailedLogins(),
    }),
  );
  app.use(() => {
    throw new HoldfastError('NOT_FOUND');
  });
  app.use(errorHandler());
  return app;
}
