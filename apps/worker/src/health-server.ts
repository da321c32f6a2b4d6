import type { IncomingMessage } from 'node:http';
import { once } from 'node:events';
import { HoldfastError, PROBLEM_TYPE, problemOf } from '@holdfast/foundation/errors';
import { createBoundedServer } from '@holdfast/shared/http';
import { listenOn, service, type Service } from '@holdfast/foundation/lifecycle';
import { requestIdFrom, type Logger } from '@holdfast/foundation/logging';

/** Its requests have no bodies. */
const REQUEST_WITHIN_MS = 30_000;

/** Status, type and body. */
type Answer = readonly [number, string, string];

/** /livez, /readyz and /metrics (Prometheus text) of the worker. */
export function createHealthServer(
  { host, port }: { host: string; port: number },
  isReady: () => boolean,
  metrics: () => Promise<string>,
  log: Logger,
): Service {
  const json = (status: number, body: unknown, type = 'application/json'): Answer => [
    status,
    type,
    `${JSON.stringify(body)}\n`,
  ];
  const answers: Record<string, () => Answer | Promise<Answer>> = {
    '/livez': () => json(200, { status: 'alive' }),
    '/readyz': () => (isReady() ? json(200, { status: 'ready' }) : json(503, { status: 'not ready' })),
    '/metrics': async () => [200, 'text/plain; version=0.0.4; charset=utf-8', await metrics()],
  };
  const answerTo = async ({ method, url = '' }: IncomingMessage, requestId: string): Promise<Answer> => {
    const known = method === 'GET' || method === 'HEAD' ? answers[url.split('?', 1)[0] ?? ''] : undefined;
    if (known === undefined) {
      const problem = problemOf(new HoldfastError('NOT_FOUND'), requestId);
      return json(problem.status, problem, PROBLEM_TYPE);
    }
    try {
      return await known();
    } catch {
      return json(500, { status: 'failed' });
    }
  };
  const server = createBoundedServer(
    (request, response) => {
      const requestId = requestIdFrom(request.headers['x-request-id']);
      response.setHeader('X-Request-Id', requestId);
      void answerTo(request, requestId).then(([status, type, body]) =>
        response.writeHead(status, { 'Content-Type': type, 'Cache-Control': 'no-store' }).end(body),
      );
    },
    { requestWithinMs: REQUEST_WITHIN_MS },
  );
  return service('health server', {
    start: async () => {
      await listenOn(server, host, port, 'WORKER_PORT');
      log.info('health.listening', { host, port });
    },
    stop: async () => {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  });
}
