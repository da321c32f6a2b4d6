import express, { type Express } from 'express';
import helmet from 'helmet';
import { isLoopback, type Environment, type Settings } from '@holdfast/foundation/config';
import { HoldfastError } from '@holdfast/foundation/errors';
import { service, stack, type Service } from '@holdfast/foundation/lifecycle';
import type { Logger } from '@holdfast/foundation/logging';
import { openDependencies, type Dependencies } from './dependencies.js';
import { authenticate } from './http/access.js';
import { cors, requireHost } from './http/foreign-pages.js';
import { httpServer } from './http/http-server.js';
import { mountRoutes } from './http/mount-routes.js';
import { errorHandler } from './http/problems.js';
import { boundUnreadBodies } from './http/request-bodies.js';
import { requestContext } from './http/request-context.js';
import { countRequests } from './metrics/api-metrics.js';
import { routes } from './routes.js';

/** The whole API, ready to start: what it stands on is open, and stops after the server. */
export async function openApi(settings: Settings, log: Logger, env: Environment): Promise<Service> {
  const deps = await openDependencies(settings, log, env);
  const { http, host } = settings;
  // The addresses of files on the local host begin with PUBLIC_URL. Without it other machines cannot follow them.
  if (host.kind === 'local' && http.publicUrl === undefined && !isLoopback(http.host))
    log.warn('http.no_public_url', { host: http.host });
  const connections = service('connections', { start: () => undefined, stop: () => deps.close() });
  return stack([connections, apiServer(deps)], log);
}

/** The server of the API, over what was opened for it. */
export function apiServer(deps: Dependencies): Service {
  return httpServer(createApp(deps), deps);
}

/** The API without a port and without signals. */
function createApp(deps: Dependencies): Express {
  const { settings, log } = deps;
  const app = express();
  app.disable('x-powered-by');
  app.set('etag', false);
  app.set('trust proxy', settings.access.trustProxy);
  app.use(
    requestContext(log, (req) => authenticate(settings.access, req.headers)),
    countRequests(deps),
    boundUnreadBodies(),
    requireHost(settings),
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
    mountRoutes(routes(deps), deps),
    () => {
      throw new HoldfastError('NOT_FOUND');
    },
    errorHandler,
  );
  return app;
}
