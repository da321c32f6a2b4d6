/**
 * Two BullMQ workers whose jobs do nothing, with the concurrency of a Holdfast worker: what two queued jobs cost at
 * least. Configured by REDIS_URL, BARE_PREFIX and PORT (answers once both are ready).
 */
import { createServer } from 'node:http';
import { Worker } from 'bullmq';
import { Redis } from 'ioredis';

const { REDIS_URL = '', BARE_PREFIX: prefix = 'bare', PORT = '0' } = process.env;
const connection = new Redis(REDIS_URL, { maxRetriesPerRequest: null });
const workers = (['save', 'verify'] as const).map((queue) => {
  // The numbers of apps/worker with WORKER_CONCURRENCY at its default.
  const concurrency = queue === 'save' ? 16 : 64;
  return new Worker(queue, async () => undefined, { connection, prefix, concurrency });
});
await Promise.all(workers.map((worker) => worker.waitUntilReady()));
const server = createServer((_req, res) => res.end('ready'));
server.listen(Number(PORT), '127.0.0.1');

process.once('SIGTERM', () => {
  server.close();
  void Promise.all(workers.map((worker) => worker.close())).then(() => connection.disconnect());
});
