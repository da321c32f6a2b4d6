/**
 * Two BullMQ workers with the concurrency of a Holdfast worker. Jobs without a record are empty: what two queued jobs cost
 * at least. Those with one come from the queued app (bare-app.ts): save writes it as one hash, verify reads it back.
 * Configured by REDIS_URL, BARE_PREFIX and PORT (answers once both are ready).
 */
import { createServer } from 'node:http';
import { Worker, type Job } from 'bullmq';
import { Redis } from 'ioredis';

const { REDIS_URL = '', BARE_PREFIX: prefix = 'bare', PORT = '0' } = process.env;
const connection = new Redis(REDIS_URL, { maxRetriesPerRequest: null });
const redis = new Redis(REDIS_URL);
const keyOf = ({ id }: Fields): string => `${prefix}:record:${id ?? ''}`;

type Fields = Record<string, string>;
interface Payload {
  record?: Fields;
}

const save = async ({ data: { record } }: Job<Payload>): Promise<void> => {
  if (record !== undefined) await redis.hset(keyOf(record), record);
};
const verify = async ({ data: { record } }: Job<Payload>): Promise<void> => {
  if (record === undefined) return;
  const stored = await redis.hgetall(keyOf(record));
  for (const [name, value] of Object.entries(record))
    if (stored[name] !== value) throw new Error(`${name} was not saved`);
};

// The numbers of apps/worker with WORKER_CONCURRENCY at its default.
const workers = [
  new Worker('save', save, { connection, prefix, concurrency: 16 }),
  new Worker('verify', verify, { connection, prefix, concurrency: 64 }),
];
await Promise.all(workers.map((worker) => worker.waitUntilReady()));
const server = createServer((_req, res) => res.end('ready'));
server.listen(Number(PORT), '127.0.0.1');

process.once('SIGTERM', () => void stop());
async function stop(): Promise<void> {
  server.close();
  await Promise.all(workers.map((worker) => worker.close()));
  connection.disconnect();
  redis.disconnect();
}
