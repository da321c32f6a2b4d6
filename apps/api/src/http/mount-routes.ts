import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Router, type RequestHandler, type Response } from 'express';
import { HoldfastError } from '@holdfast/foundation/errors';
import { endTurn } from '@holdfast/shared/http';
import type { Dependencies } from '../dependencies.js';
import { requireAccess } from './access.js';
import { refuseCrossSite } from './foreign-pages.js';
import { limitFailedLogins, limitWrites } from './rate-limit.js';
import { readJson } from './request-bodies.js';
import { clientOf, contextOf, goneWith } from './request-context.js';
import { parseInput, splitTags } from './request-input.js';
import type { Answer, PlainRoute, Route } from './route.js';

/** The table as an Express router: paths in the order of the table, each with an answer for methods it does not allow. */
export function mountRoutes(
  routes: readonly Route[],
  { settings, keys, redis }: Pick<Dependencies, 'settings' | 'keys' | 'redis'>,
): Router {
  const router = Router();
  const writes = limitWrites(redis.request, keys, settings.access.rateLimitPerMinute);
  const failedLogins = limitFailedLogins();
  for (const path of new Set(routes.map((route) => route.path))) {
    const here = routes.filter((route) => route.path === path);
    const place = router.route(path);
    // Express serves HEAD as GET, but HEAD must not change anything.
    if (here.some(({ changes }) => changes === true)) place.head(otherMethods(path, here));
    for (const route of here) {
      // What may refuse a request, before its handler.
      const handlers = [
        requireAccess(settings.access, route, failedLogins),
        ...(route.role === 'open' ? [] : [refuseCrossSite(settings, route)]),
        ...(route.limited === true ? [writes] : []),
        'serve' in route ? route.serve : servePlain(route),
      ];
      if (route.method === 'ALL') router.use(path, ...handlers);
      else place[verbOf[route.method]](...handlers);
    }
    if (here.every(({ method }) => method !== 'ALL')) place.all(otherMethods(path, here));
  }
  return router;
}

const verbOf = { GET: 'get', POST: 'post', PATCH: 'patch', DELETE: 'delete' } as const;

function otherMethods(path: string, here: readonly Route[]): RequestHandler {
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

async function send(res: Response, { status, body, stream, headers }: Answer): Promise<void> {
  if (res.destroyed) return;
  for (const [name, value] of Object.entries({ 'Cache-Control': 'no-store', ...headers })) {
    if (name === 'Vary') res.vary(value);
    else res.setHeader(name, value);
  }
  const { req } = res;
  const isKnown = ['GET', 'HEAD'].includes(req.method) && hasTag(req.get('if-none-match'), headers?.['ETag']);
  res.status(isKnown ? 304 : status);
  if (stream !== undefined && req.method !== 'HEAD') await sendStream(res, stream);
  else res.send(body);
}

/** `If-None-Match`: whether the client has this already. Compared weakly, as the RFC wants it. */
function hasTag(header = '', tag: string | undefined): boolean {
  if (tag === undefined) return false;
  return (
    header.trim() === '*' || splitTags(header).some((candidate) => candidate.replace(/^W\//, '') === tag)
  );
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
