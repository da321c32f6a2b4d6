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
  /** An object is sent as JSON. Text and bytes are sent as they are; their type must be among the headers. */
  body?: object | string;
  /** Sent piece by piece instead, as fast as the client reads. Its type must be among the headers. */
  stream?: AsyncIterable<string>;
  headers?: Readonly<Record<string, string>>;
}

/** One method of one path: what the server mounts, and what the OpenAPI document says of it. */
interface Row {
  /** `ALL`: everything below the path, by an application of its own, which is not in the document. */
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE' | 'ALL';
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
  tag: (typeof tags)[number];
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

export const tags = ['media', 'uploads', 'sync', 'status', 'pages'] as const;

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

/** A route whose handler is a plain function: the edge checks its input against the schemas and sends its answer. */
export interface PlainRoute extends Row {
  /** Without a schema the body is not read. */
  body?: z.ZodType;
  handle(input: Input<string, unknown, unknown>): Promise<Answer>;
}

/** A route whose handler reads or sends a stream. It knows Express, and checks its input itself. */
interface RawRoute extends Row {
  /** The body that it reads, as JSON Schema says it. */
  content?: { type: string; schema: Readonly<Record<string, unknown>> };
  serve: RequestHandler;
}

export type Route = PlainRoute | RawRoute;

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
