import { Router, type RequestHandler } from 'express';
import type { Settings } from '@holdfast/foundation/config';
import { HoldfastError } from '@holdfast/foundation/errors';
import { requireAccess } from './access.js';
import { refuseCrossSite } from './foreign-pages.js';
import { serveEndpoint } from './endpoint.js';
import { contextOf } from './request-context.js';
import type { Route, VerbRoute } from './route.js';

export interface MountOptions {
  settings: Pick<Settings, 'access' | 'http'>;
  /** The one limit that all limited routes share. */
  limitWrites: RequestHandler;
  /** The one limit that all requests with an unknown key share. */
  limitFailedLogins: RequestHandler;
}

/** The table as an Express router: paths in the order of the table, each with an answer for methods it does not allow. */
export function mountRoutes(routes: readonly Route[], options: MountOptions): Router {
  const router = Router();
  for (const path of new Set(routes.map((route) => route.path))) {
    const here = routes.filter((route) => route.path === path);
    const place = router.route(path);
    const verbs = here.filter((route): route is VerbRoute => route.method !== 'ALL');
    // Express serves HEAD as GET, but HEAD must not change anything.
    if (verbs.some(({ changes }) => changes === true)) place.head(noteRoute(path), otherMethods(verbs));
    for (const route of here) {
      const handlers = [...guards(route, options), 'serve' in route ? route.serve : serveEndpoint(route)];
      if (route.method === 'ALL') router.use(path, ...handlers);
      else place[verbOf[route.method]](...handlers);
    }
    if (verbs.length > 0) place.all(noteRoute(path), otherMethods(verbs));
  }
  return router;
}

const verbOf = { GET: 'get', POST: 'post', PATCH: 'patch', DELETE: 'delete' } as const;

function guards(route: Route, options: MountOptions): RequestHandler[] {
  const { settings } = options;
  return [
    noteRoute(route.path),
    requireAccess(settings.access, route, options.limitFailedLogins),
    refuseCrossSite(settings, route),
    ...(route.limited === true ? [options.limitWrites] : []),
  ];
}

/** Tells the metrics which row a request belongs to. */
function noteRoute(path: string): RequestHandler {
  return (req, _res, next) => {
    contextOf(req).route = path;
    next();
  };
}

function otherMethods(here: readonly VerbRoute[]): RequestHandler {
  const methods = here.flatMap(({ method, changes }) =>
    method === 'GET' && changes !== true ? ['GET', 'HEAD'] : [method],
  );
  const allow = [...methods, 'OPTIONS'].join(', ');
  return (req, res) => {
    res.setHeader('Allow', allow);
    if (req.method === 'OPTIONS') {
      res.status(204).end();
      return;
    }
    throw new HoldfastError(
      'METHOD_NOT_ALLOWED',
      `${req.method} is not allowed here; use ${methods.join(', ')}`,
    );
  };
}
