import { createBullBoard } from '@bull-board/api';
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter';
import { ExpressAdapter } from '@bull-board/express';
import { Router, type RequestHandler } from 'express';
import { queueNames, type MediaQueues } from '@holdfast/shared/jobs';
import type { Logger } from '@holdfast/shared/logging';
import { fromRedisError } from '@holdfast/shared/redis';

export const QUEUE_BOARD_PATH = '/admin/queues';

/** Its own scripts and styles, and those that its page carries inline. */
const CONTENT_POLICY =
  "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; frame-ancestors 'none'";

/** Bull Board over all queues. */
export function queueBoard({ queues }: Pick<MediaQueues, 'queues'>, log: Logger): RequestHandler {
  const adapter = new ExpressAdapter();
  adapter.setBasePath(QUEUE_BOARD_PATH);
  createBullBoard({
    queues: queueNames.map((name) => new BullMQAdapter(queues[name])),
    serverAdapter: adapter,
    options: { uiConfig: { boardTitle: 'Holdfast' } },
  });
  // Its own handler would send the stack.
  adapter.setErrorHandler((error) => {
    const ours = fromRedisError(error, 'QUEUE_UNAVAILABLE');
    log.warn('queue_board.failed', { code: ours.code, error: ours });
    // Bull Board knows fewer statuses than HTTP.
    return { status: 500, body: { error: ours.message } };
  });
  const router = Router();
  router.use((_req, res, next) => {
    res.setHeader('Content-Security-Policy', CONTENT_POLICY);
    next();
  });
  router.use(adapter.getRouter() as RequestHandler);
  return router;
}
