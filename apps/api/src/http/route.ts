import type { RequestHandler } from 'express';
import type { z } from 'zod';
import type { Role } from '@holdfast/foundation/config';
import type { ErrorCode } from '@holdfast/foundation/errors';
import type { RequestHeader, ResponseHeader } from './described-headers.js';
import type { Answer, Endpoint, Input } from './endpoint.js';

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
  description: string;
  /** The JSON body, one of the schemas of the document; absent for answers without one. */
  body?: z.ZodType;
  /** The media type of a body that is not JSON. */
  type?: string;
  headers?: readonly ResponseHeader[];
}

/** What every row says besides its access, its input and its handler. The OpenAPI document is made of it. */
interface RouteDescription {
  tag: 'media' | 'uploads' | 'sync' | 'status' | 'pages';
  summary: string;
  description?: string;
  headers?: readonly RequestHeader[];
  answers: Readonly<Record<number, AnswerDescription>>;
  /** Besides those that follow from the row itself (see `errorRules` of the document). */
  errors?: readonly ErrorCode[];
}

interface Verb extends RouteAccess, RouteDescription {
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** What each parameter of the path is. */
  params?: Readonly<Record<string, string>>;
  query?: z.ZodType;
}

/** A route whose handler is a plain function: the edge checks its input against the schemas and sends its answer. */
export type PlainRoute = Verb & Endpoint;

/** A route whose handler reads or sends a stream. It knows Express, and checks its input itself. */
export interface RawRoute extends Verb {
  /** The body that it reads, as JSON Schema says it. */
  content?: { type: string; schema: Readonly<Record<string, unknown>> };
  serve: RequestHandler;
}

/** One method of one path. */
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
