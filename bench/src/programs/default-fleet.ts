/**
 * Three queues with BullMQ's defaults in one process, one of them with a job every 15 minutes: what an idle deployment
 * costs when nothing is done about it. Configured by REDIS_URL and PORT (answers once all are ready).
 */
import { createServer } from 'node:http';
import { Queue, Worker } from 'bullmq';
import { Redis } from 'ioredis';

const { REDIS_URL = '', PORT = '0' } = process.env;
const connection = new Redis(REDIS_URL, { maxRetriesPerRequest: null });
const workers = ['save', 'verify', 'sync'].map(
  (queue) => new Worker(queue, async () => undefined, { connection }),
);
const sync = new Queue('sync', { connection });
const every = 15 * 60_000;
await sync.upsertJobScheduler('auto', { every, startDate: Date.now() + every });
await Promise.all(workers.map((worker) => worker.waitUntilReady()));
const server = createServer((_req, res) => res.end('ready'));
server.listen(Number(PORT), '127.0.0.1');

process.once('SIGTERM', () => {
  server.close();
  void Promise.all([...workers, sync].map((part) => part.close())).then(() => connection.disconnect());
});
