import express, { type Express } from 'express';
import helmet from 'helmet';
import { HoldfastError } from '@holdfast/foundation/errors';
import type { Dependencies } from './dependencies.js';
import { closeWhileDraining } from './http/shutdown.js';
import { cors, requireHost } from './http/foreign-pages.js';
import { boundEarlyAnswers } from './http/request-bodies.js';
import { errorHandler } from './http/problems.js';
import { mountRoutes } from './http/mount-routes.js';
import { limitFailedLogins, limitWrites } from './http/rate-limit.js';
import { requestContext, requestLog } from './http/request-context.js';
import { countRequests } from './metrics/api-metrics.js';
import { routes } from './routes.js';

/** The API without a port and without signals: what the server runs and what tests import. */
export function createApp(deps: Dependencies): Express {
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
