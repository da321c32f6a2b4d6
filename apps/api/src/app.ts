import express, { type Express } from 'express';
import { HoldfastError } from '@holdfast/shared/errors';
import type { Dependencies } from './dependencies.js';
import { closeWhileDraining } from './http/close-while-draining.js';
import { cors } from './http/cors.js';
import { boundEarlyAnswers } from './http/early-answer.js';
import { errorHandler } from './http/error-handler.js';
import { mountRoutes } from './http/mount-routes.js';
import { limitFailedLogins, limitWrites } from './http/rate-limit.js';
import { requestId } from './http/request-id.js';
import { requestLog } from './http/request-log.js';
import { requireHost } from './http/require-host.js';
import { securityHeaders } from './http/security-headers.js';
import { countRequests } from './metrics/count-requests.js';
import { routes } from './routes.js';
import { endSharing } from './status/recent-results.js';

/** The API without a port and without signals: what the server runs and what tests import. */
export function createApp(deps: Dependencies): Express {
  const { settings, log, keys, redis, shutdown } = deps;
  const app = express();
  app.disable('x-powered-by');
  app.set('etag', false);
  app.set('trust proxy', settings.access.trustProxy);
  app.use(
    requestId(log),
    requestLog(),
    countRequests(deps.metrics.http),
    endSharing(deps.recentResults),
    boundEarlyAnswers(),
    requireHost(settings),
    closeWhileDraining(shutdown),
    securityHeaders(),
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
