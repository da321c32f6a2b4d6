import { Router, type RequestHandler } from 'express';
import type { Settings } from '@holdfast/foundation/config';
import { HoldfastError } from '@holdfast/foundation/errors';
import { requireAccess } from './access.js';
import { refuseCrossSite } from './foreign-pages.js';
import { serveEndpoint } from './endpoint.js';
import { contextOf } from './request-context.js';
import type { MountedRoute, Route, VerbRoute } from './route.js';

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
  const verbs = routes.filter((route): route is VerbRoute => route.method !== 'ALL');
  for (const path of new Set(routes.map((route) => route.path))) {
    const mounted = routes.find(
      (route): route is MountedRoute => route.method === 'ALL' && route.path === path,
    );
    if (mounted !== undefined) {
      router.use(path, ...guards(mounted, options), mounted.serve);
      continue;
    }
    const here = verbs.filter((route) => route.path === path);
    const place = router.route(path);
    // Express serves HEAD as GET, but HEAD must not change anything.
    if (here.some(({ changes }) => changes === true)) place.head(noteRoute(path), otherMethods(here));
    for (const route of here)
      place[verbOf[route.method]](
        ...guards(route, options),
        'serve' in route ? route.serve : serveEndpoint(route),
      );
    place.all(noteRoute(path), otherMethods(here));
  }
  return router;
}

const verbOf = { GET: 'get', POST: 'post', PATCH: 'patch', DELETE: 'delete' } as const;

function guards(route: Route, options: MountOptions): RequestHandler[] {
  const { settings } = options;
  const verb = route.method === 'ALL' ? undefined : route;
  return [
    noteRoute(route.path),
    requireAccess(settings.access, {
      role: route.role,
      publicRead: route.publicRead === true,
      challenge: route.page === true ? 'Basic' : 'Bearer',
      limitFailedLogins: options.limitFailedLogins,
    }),
    refuseCrossSite(settings, { role: route.role, changes: verb?.changes === true }),
    ...(verb?.limited === true ? [options.limitWrites] : []),
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
