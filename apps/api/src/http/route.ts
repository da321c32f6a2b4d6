import type { RequestHandler } from 'express';
import type { z } from 'zod';
import type { Role } from '@holdfast/foundation/config';
import type { ErrorCode } from '@holdfast/foundation/errors';
import type { RequestHeader, ResponseHeader } from './described-headers.js';
import type { RequestContext } from './request-context.js';

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

interface RouteAccess {
  /** In Express' notation. */
  path: string;
  /** `open`: for everyone, keys are ignored. */
  role: Role | 'open';
  /** Open to everyone where PUBLIC_READ is on. */
  publicRead?: true;
  /** A page for browsers: a 401 makes them ask for a login. */
  page?: true;
  /** Counts against RATE_LIMIT_PER_MINUTE. */
  limited?: true;
  /** Changes something although its method is GET. */
  changes?: true;
}

/** One answer of a route, as the OpenAPI document describes it. */
export interface AnswerDescription {
  /** The name of its status by default. */
  description?: string;
  /** The JSON body, one of the schemas of the document; absent for answers without one. */
  body?: z.ZodType;
  /** The media type of a body that is not JSON. */
  type?: string;
  headers?: readonly ResponseHeader[];
}

/** One method of one path: what the server mounts, and what the OpenAPI document says of it. */
interface Verb extends RouteAccess {
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  tag: 'media' | 'uploads' | 'sync' | 'status' | 'pages';
  summary: string;
  description?: string;
  /** What each parameter of the path is. */
  params?: Readonly<Record<string, string>>;
  /** Without a schema the query is ignored. */
  query?: z.ZodType;
  headers?: readonly RequestHeader[];
  /** By status; a schema alone is that of a JSON body. */
  answers: Readonly<Record<number, z.ZodType | AnswerDescription>>;
  /** Besides those that follow from the row itself (see `errorRules` of the document). */
  errors?: readonly ErrorCode[];
}

/** A route whose handler is a plain function: the edge checks its input against the schemas and sends its answer. */
export interface PlainRoute extends Verb {
  /** Without a schema the body is not read. */
  body?: z.ZodType;
  handle(input: Input<string, unknown, unknown>): Promise<Answer>;
}

/** A route whose handler reads or sends a stream. It knows Express, and checks its input itself. */
export interface RawRoute extends Verb {
  /** The body that it reads, as JSON Schema says it. */
  content?: { type: string; schema: Readonly<Record<string, unknown>> };
  serve: RequestHandler;
}

export type VerbRoute = PlainRoute | RawRoute;

/** Everything below a path, all methods: an application of its own. */
export interface MountedRoute extends RouteAccess {
  method: 'ALL';
  serve: RequestHandler;
}

export type Route = VerbRoute | MountedRoute;

/** A plain route whose handler takes exactly what the schemas and the parameters of its row yield. */
export function route<
  Param extends string = never,
  Query extends z.ZodType = z.ZodUndefined,
  Body extends z.ZodType = z.ZodUndefined,
>(
  row: Omit<PlainRoute, 'params' | 'query' | 'body' | 'handle'> & {
    params?: Readonly<Record<Param, string>>;
    query?: Query;
    body?: Body;
    handle: (input: Input<NoInfer<Param>, z.output<Query>, z.output<Body>>) => Promise<Answer>;
  },
): PlainRoute {
  return row;
}
