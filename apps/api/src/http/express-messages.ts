import { IncomingMessage, ServerResponse } from 'node:http';
import type { Express } from 'express';

/** The classes of requests and answers that a server makes. */
export interface MessageClasses {
  IncomingMessage: typeof IncomingMessage;
  ServerResponse: typeof ServerResponse;
}

/**
 * Requests and answers that are born with the prototypes that Express gives them. Express sets the prototype of every one
 * it gets; V8 then finds no shape in common between any two of them, and looks up each property the slow way. With these
 * classes there is nothing left to set. Once for each app, before its first request.
 */
export function expressMessages(app: Express): MessageClasses {
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
