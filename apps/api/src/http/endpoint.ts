import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Request, RequestHandler, Response } from 'express';
import type { z } from 'zod';
import { endTurn } from '@holdfast/shared/http';
import { clientOf, goneWith, contextOf, type RequestContext } from './request-context.js';
import { parseInput } from './request-input.js';
import { readJson } from './request-bodies.js';

/** A request as handlers see it: plain data, checked against the schemas of its row. */
export interface Input<Param extends string = never, Query = undefined, Body = undefined> {
  params: Readonly<Record<Param, string>>;
  query: Query;
  body: Body;
  header: (name: string) => string | undefined;
  /** Whether the client takes an answer in this encoding. */
  accepts: (encoding: string) => boolean;
  context: RequestContext;
  /** The client that limits are counted for; see clientOf. */
  client: string;
  /** Aborts when the client has gone away before its answer. */
  gone: AbortSignal;
}

export interface Answer {
  status: number;
  /** Sent as JSON; absent for answers without a body. */
  body?: unknown;
  /** Sent as it is instead. Its type must be among the headers. */
  text?: string | Buffer;
  /** Sent piece by piece instead, as fast as the client reads. Its type must be among the headers. */
  stream?: AsyncIterable<string>;
  headers?: Readonly<Record<string, string>>;
}

/** A handler and what it may be called with. */
export interface Endpoint {
  /** Without a schema the query is ignored. */
  query?: z.ZodType;
  /** Without a schema the body is not read. */
  body?: z.ZodType;
  handle(input: Input<string, unknown, unknown>): Promise<Answer>;
}

/** Express' side of a plain route: request -> input -> handler -> answer. Errors go to the error handler. */
export function serveEndpoint(served: Endpoint & { method: string; changes?: boolean }): RequestHandler {
  const changes = served.method !== 'GET' || served.changes === true;
  return async (req, res) => {
    const gone = goneWith(res);
    const body = served.body && parseInput(served.body, await readJson(req, res), 'the body is not valid');
    // The media host may take seconds.
    if (changes) endTurn(res);
    const answer = await served.handle({
      params: stringParams(req.params),
      query: served.query && parseInput(served.query, { ...req.query }, 'the query is not valid'),
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

function stringParams(params: Request['params']): Record<string, string> {
  return Object.fromEntries(
    Object.entries(params).map(([name, value]) => [name, Array.isArray(value) ? value.join('/') : value]),
  );
}
