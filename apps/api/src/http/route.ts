import type { RequestHandler } from 'express';
import type { Role } from '@holdfast/shared/config';
import type { Endpoint } from './endpoint.js';

interface RouteAccess {
  /** Express' notation. */
  path: string;
  /** `open`: for everyone, keys are not looked at. */
  role: Role | 'open';
  /** Open to everyone where PUBLIC_READ is on. */
  publicRead?: true;
  /** A page for browsers: a 401 makes them ask for a login. */
  page?: true;
}

/** One method of one path. */
export interface VerbRoute extends RouteAccess {
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** Counts against RATE_LIMIT_PER_MINUTE. */
  limited?: true;
  /** Changes something although its method is GET. */
  changes?: true;
  /** A plain endpoint, or a handler of its own where a body or an answer is a stream. */
  serve: Endpoint | RequestHandler;
}

/** Everything below a path, all methods: an application of its own. */
export interface MountedRoute extends RouteAccess {
  method: 'ALL';
  serve: RequestHandler;
}

export type Route = VerbRoute | MountedRoute;
