import type { Server, ServerResponse } from 'node:http';
import { once } from 'node:events';
import { HoldfastError, PROBLEM_TYPE, problemOf } from '@holdfast/foundation/errors';
import { createBoundedServer } from '@holdfast/shared/http';
import { listenOn, service, type Service } from '@holdfast/foundation/lifecycle';
import { requestIdFrom, type Logger } from '@holdfast/foundation/logging';

export interface HealthServerOptions {
  host: string;
  /** Undefined = no server. */
  port: number | undefined;
  isReady: () => boolean;
  /** Prometheus text. */
  metrics: () => Promise<string>;
  log: Logger;
}

/** Its requests have no bodies. */
const REQUEST_WITHIN_MS = 30_000;

interface Answer {
  status: number;
  type: string;
  body: string;
}

/** /livez, /readyz and /metrics of the worker, for orchestrators and Prometheus. */
export function createHealthServer({ host, port, isReady, metrics, log }: HealthServerOptions): Service {
  const json = (status: number, word: string): Answer => ({
    status,
    type: 'application/json',
    body: `${JSON.stringify({ status: word })}\n`,
  });
  const notFound = (requestId: string): Answer => {
    const problem = problemOf(new HoldfastError('NOT_FOUND'), requestId);
    return { status: problem.status, type: PROBLEM_TYPE, body: `${JSON.stringify(problem)}\n` };
  };
  const answers: Record<string, () => Answer | Promise<Answer>> = {
    '/livez': () => json(200, 'alive'),
    '/readyz': () => (isReady() ? json(200, 'ready') : json(503, 'not ready')),
    '/metrics': async () => ({
      status: 200,
      type: 'text/plain; version=0.0.4; charset=utf-8',
      body: await metrics(),
    }),
  };
  const answerWith = async (
    response: ServerResponse,
    answer: () => Answer | Promise<Answer>,
  ): Promise<void> => {
    const { status, type, body } = await Promise.resolve()
      .then(answer)
      .catch(() => json(500, 'failed'));
    response.writeHead(status, { 'Content-Type': type, 'Cache-Control': 'no-store' }).end(body);
  };
  let server: Server | undefined;
  return service('health server', {
    start: async () => {
      if (port === undefined) return;
      server = createBoundedServer({
        requestWithinMs: REQUEST_WITHIN_MS,
        handle: (request, response) => {
          const requestId = requestIdFrom(request.headers['x-request-id']);
          response.setHeader('X-Request-Id', requestId);
          const path = (request.url ?? '').split('?', 1)[0] ?? '';
          const known = request.method === 'GET' || request.method === 'HEAD' ? answers[path] : undefined;
          void answerWith(response, known ?? (() => notFound(requestId)));
        },
      });
      await listenOn(server, { host, port, settings: { host: 'HOST', port: 'WORKER_PORT' } });
      log.info('health.listening', { host, port });
    },
    stop: async () => {
      if (server === undefined) return;
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  });
}
