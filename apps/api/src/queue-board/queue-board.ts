import { createBullBoard } from '@bull-board/api';
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter';
import { ExpressAdapter } from '@bull-board/express';
import { Router, type Express, type RequestHandler } from 'express';
import { queueNames, type MediaQueues } from '@holdfast/shared/jobs';
import { fromRedisError, redisErrorKind } from '@holdfast/shared/redis';

export const QUEUE_BOARD_PATH = '/admin/queues';

/** Its own scripts, none inline. Its editor of job data creates styles in the page, where no nonce reaches them. */
const CONTENT_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; connect-src 'self'; worker-src 'self'; base-uri 'self'; form-action 'none'; frame-ancestors 'none'";

/** Bull Board over all queues. */
export function queueBoard({ queues }: Pick<MediaQueues, 'queues'>): RequestHandler {
  const adapter = new ExpressAdapter();
  adapter.setBasePath(QUEUE_BOARD_PATH);
  createBullBoard({
    queues: queueNames.map((name) => new BullMQAdapter(queues[name])),
    serverAdapter: adapter,
    options: { uiConfig: { boardTitle: 'Holdfast' } },
  });
  // Its own handler would send the stack, and knows fewer statuses than HTTP. What it throws, Express hands to ours.
  adapter.setErrorHandler((error) => {
    throw redisErrorKind(error) === 'fatal' ? error : fromRedisError(error, 'QUEUE_UNAVAILABLE');
  });
  const router = Router();
  router.use((req, res, next) => {
    req.url = withBoundedPage(req.url);
    res.setHeader('Content-Security-Policy', CONTENT_POLICY);
    if (!req.path.startsWith('/static/')) res.setHeader('Cache-Control', 'no-store');
    next();
  });
  const board = adapter.getRouter() as Express;
  board.disable('x-powered-by');
  withoutForeignLinks(board);
  router.use(board);
  return router;
}

/** Its page offers up to 50, its API has no limit: one request for 100,000 jobs would hold the whole process. */
const MOST_JOBS_A_PAGE = 100;

function withBoundedPage(url: string): string {
  const at = url.indexOf('?');
  const query = new URLSearchParams(at < 0 ? '' : url.slice(at));
  if (!query.getAll('jobsPerPage').some((count) => Number(count) > MOST_JOBS_A_PAGE)) return url;
  query.set('jobsPerPage', String(MOST_JOBS_A_PAGE));
  return `${url.slice(0, at)}?${query.toString()}`;
}

/** Its page loads fonts from Google. Our policy forbids that, and browsers would report it at each load. */
const FOREIGN_LINK = /<link\b[^>]*\bhref="https?:[^>]*>/g;

/** Bull Board has no setting for it, so its page is changed where it is made. */
function withoutForeignLinks(board: Express): void {
  const render = board.render.bind(board);
  board.render = (name: string, options?: object, done?: (error: Error, page: string) => void): void =>
    // Where it cannot be made there is an error, and no page.
    render(name, options, (error, page?: string) => done?.(error, page?.replaceAll(FOREIGN_LINK, '') ?? ''));
}
