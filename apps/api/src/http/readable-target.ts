import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { HoldfastError } from '@holdfast/shared/errors';
import { requestIdFrom } from '@holdfast/shared/logging';
import { sendProblem } from './send-problem.js';

/** Where the target of a request is no address, Express answers without asking any of our handlers. So we do before it. */
export function withReadableTarget(
  app: (req: IncomingMessage, res: ServerResponse) => void,
): RequestListener {
  return (req, res) => {
    if (isReadable(req.url ?? '')) {
      app(req, res);
      return;
    }
    const id = requestIdFrom(req.headers['x-request-id']);
    res.setHeader('X-Request-Id', id);
    sendProblem(res, new HoldfastError('INVALID_REQUEST', 'the target of the request is no address'), id);
  };
}

/** A path, the `*` of OPTIONS, or a whole address, as clients write it to a proxy. */
function isReadable(target: string): boolean {
  return target.startsWith('/') || target === '*' || URL.canParse(target);
}
