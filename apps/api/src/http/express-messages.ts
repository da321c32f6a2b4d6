import { IncomingMessage, ServerResponse } from 'node:http';
import type { Express } from 'express';
import type { BoundedServerOptions } from '@holdfast/shared/http';

/**
 * Classes of requests and answers that already have the prototypes which Express sets on each one it gets. With nothing left to set
 * they share a shape; otherwise V8 looks up each of their properties the slow way, a third of the API's time for a small upload. Call
 * it once for each app, before its first request.
 */
export function expressMessages(app: Express): NonNullable<BoundedServerOptions['messages']> {
  class AppRequest extends IncomingMessage {}
  class AppResponse<Request extends IncomingMessage = IncomingMessage> extends ServerResponse<Request> {}
  app.request = adopt(AppRequest.prototype, app.request, app);
  app.response = adopt(AppResponse.prototype, app.response, app);
  return { IncomingMessage: AppRequest, ServerResponse: AppResponse };
}

/** The prototype of a class as Express wants its own: on top of what it has, and knowing the app. */
function adopt<Prototype extends object>(prototype: object, express: Prototype, app: Express): Prototype {
  Object.setPrototypeOf(prototype, express);
  return Object.assign(prototype, { app }) as Prototype;
}
