import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Router, type RequestHandler, type Response } from 'express';
import type { Settings } from '@holdfast/foundation/config';
import { HoldfastError } from '@holdfast/foundation/errors';
import { endTurn } from '@holdfast/shared/http';
import type { RedisClient, RedisKeys } from '@holdfast/shared/redis';
import { requireAccess } from './access.js';
import { refuseCrossSite } from './foreign-pages.js';
import { limitFailedLogins, limitWrites } from './rate-limit.js';
import { readJson } from './request-bodies.js';
import { clientOf, contextOf, goneWith } from './request-context.js';
import { parseInput } from './request-input.js';
import type { Answer, PlainRoute, Route, VerbRoute } from './route.js';

interface MountOptions {
  settings: Pick<Settings, 'access' | 'http'>;
  keys: RedisKeys;
  redis: { request: RedisClient };
}

/** The table as an Express router: paths in the order of the table, each with an answer for methods it does not allow. */
export function mountRoutes(routes: readonly Route[], { settings, keys, redis }: MountOptions): Router {
  const router = Router();
  const writes = limitWrites(redis.request, keys, settings.access.rateLimitPerMinute);
  const failedLogins = limitFailedLogins();
  // What may refuse a request before its handler.
  const guards = (route: Route): RequestHandler[] => [
    requireAccess(settings.access, route, failedLogins),
    ...(route.role === 'open' ? [] : [refuseCrossSite(settings, route)]),
    ...(route.limited === true ? [writes] : []),
  ];
  for (const path of new Set(routes.map((route) => route.path))) {
    const here = routes.filter((route) => route.path === path);
    const place = router.route(path);
    const verbs = here.filter((route): route is VerbRoute => route.method !== 'ALL');
    // Express serves HEAD as GET, but HEAD must not change anything.
    if (verbs.some(({ changes }) => changes === true)) place.head(otherMethods(path, verbs));
    for (const route of here) {
      const handlers = [...guards(route), 'serve' in route ? route.serve : servePlain(route)];
      if (route.method === 'ALL') router.use(path, ...handlers);
      else place[verbOf[route.method]](...handlers);
    }
    if (verbs.length > 0) place.all(otherMethods(path, verbs));
  }
  return router;
}

const verbOf = { GET: 'get', POST: 'post', PATCH: 'patch', DELETE: 'delete' } as const;

function otherMethods(path: string, here: readonly VerbRoute[]): RequestHandler {
  const methods = here.flatMap(({ method, changes }) =>
    method === 'GET' && changes !== true ? ['GET', 'HEAD'] : [method],
  );
  const allow = [...methods, 'OPTIONS'].join(', ');
  return (req, res) => {
    contextOf(req).route = path;
    res.setHeader('Allow', allow);
    if (req.method !== 'OPTIONS')
      throw new HoldfastError(
        'METHOD_NOT_ALLOWED',
        `${req.method} is not allowed here; use ${methods.join(', ')}`,
      );
    res.status(204).end();
  };
}

/** Express' side of a plain route: request -> input -> handler -> answer. Errors go to the error handler. */
function servePlain(route: PlainRoute): RequestHandler {
  const changes = route.method !== 'GET' || route.changes === true;
  return async (req, res) => {
    const gone = goneWith(res);
    const body = route.body && parseInput(route.body, await readJson(req, res), 'the body is not valid');
    // The media host may take seconds.
    if (changes) endTurn(res);
    const answer = await route.handle({
      // Only wildcards, which plain routes do not have, are arrays.
      params: req.params as Record<string, string>,
      query: route.query && parseInput(route.query, { ...req.query }, 'the query is not valid'),
      body,
      header: (name) => req.get(name),
      accepts: (encoding) => req.acceptsEncodings(encoding) !== false,
      context: contextOf(req),
      client: clientOf(req),
      gone,
    });
    await send(res, answer);
  };
}

async function send(res: Response, { status, body, text, stream, headers = {} }: Answer): Promise<void> {
  if (res.destroyed) return;
  if (res.getHeader('Cache-Control') === undefined) res.setHeader('Cache-Control', 'no-store');
  for (const [name, value] of Object.entries(headers)) {
    if (name === 'Vary') res.vary(value);
    else res.setHeader(name, value);
  }
  res.status(status);
  if (stream !== undefined && res.req.method !== 'HEAD') await sendStream(res, stream);
  else if (text !== undefined) res.send(text);
  else if (body === undefined) res.end();
  else res.json(body);
}

/** A stream that fails cuts the connection, so that the answer is not mistaken for a complete one. A client that leaves is not an error. */
async function sendStream(res: Response, stream: AsyncIterable<string>): Promise<void> {
  // `pipeline` adds seven that listen for the end; with ours Node would warn of a leak at each stream.
  res.setMaxListeners(20);
  try {
    await pipeline(Readable.from(stream), res);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error;
  }
}
