import type { IncomingMessage } from 'node:http';
import type { Role } from '@holdfast/shared/config';
import type { Logger } from '@holdfast/shared/logging';

/** Who sent a request. `anonymous` has all roles where no key is configured, and none of its own elsewhere. */
export interface Client {
  name: string;
  role: Role | null;
  via: 'token' | 'basic' | 'anonymous';
}

/** What every handler may know of the request it serves. */
export interface RequestContext {
  requestId: string;
  client: Client;
  /** Adds the request id to each of its events. */
  log: Logger;
  /** Path of the route's row in the table; absent where no row fits. */
  route?: string;
  /** Code of the problem that was answered, for log and metrics. */
  problem?: string;
}

export const anonymous: Client = { name: 'anonymous', role: null, via: 'anonymous' };

/** On the request itself: what a WeakMap holds survives until the whole heap is collected (docs/performance.md). */
const key = Symbol('context');

type Carrier = IncomingMessage & { [key]?: RequestContext };

export function setContext(req: IncomingMessage, context: RequestContext): void {
  (req as Carrier)[key] = context;
}

/** The context that the first middleware made. */
export function contextOf(req: IncomingMessage): RequestContext {
  const context = (req as Carrier)[key];
  if (context === undefined) throw new Error('a request without a context: request-id.ts must run first');
  return context;
}
