import type { RedisSandbox } from '@holdfast/shared/testing';
import { setTimeout as pause } from 'node:timers/promises';

/** What can be done to the Redis of the stage. One at a time: whatever needs the server waits for its turn. */
export interface RedisFaults {
  /** kill -9, away for so long, started on the same data. */
  kill(awayMs: number): Promise<void>;
  /** A clean stop and start. */
  restart(awayMs: number): Promise<void>;
  pauseFor(ms: number): Promise<void>;
  /** No write is taken for so long: full, or a replica without its master. */
  fullFor(ms: number): Promise<void>;
  readOnlyFor(ms: number): Promise<void>;
  flushScripts(): Promise<void>;
  /** So many scripts of others: the server forgets its oldest ones. */
  foreignScripts(count: number): Promise<void>;
  wipe(): Promise<void>;
  /** Resolves when nothing is being done to it any more. */
  settled(): Promise<void>;
}

export function redisFaults(redis: RedisSandbox, closedPort: number): RedisFaults {
  const { client } = redis;
  let turn: Promise<unknown> = Promise.resolve();
  const inTurn = (work: () => Promise<void>): Promise<void> => {
    const mine = turn.then(work);
    turn = mine.catch(() => undefined);
    return mine;
  };
  return {
    kill: (awayMs) =>
      inTurn(async () => {
        await redis.kill();
        await pause(awayMs);
        await redis.restart();
      }),
    restart: (awayMs) =>
      inTurn(async () => {
        await shutDown(redis);
        await pause(awayMs);
        await redis.restart();
      }),
    pauseFor: (ms) =>
      inTurn(async () => {
        redis.pause();
        await pause(ms);
        redis.resume();
      }),
    fullFor: (ms) =>
      inTurn(async () => {
        await client.config('SET', 'maxmemory', '1');
        await pause(ms);
        await client.config('SET', 'maxmemory', '0');
      }),
    readOnlyFor: (ms) =>
      inTurn(async () => {
        await client.replicaof('127.0.0.1', closedPort);
        await pause(ms);
        await client.replicaof('NO', 'ONE');
      }),
    flushScripts: () => inTurn(async () => void (await client.script('FLUSH'))),
    foreignScripts: (count) =>
      inTurn(async () => {
        const pipeline = client.pipeline();
        for (let number = 0; number < count; number += 1) pipeline.eval(`return ${String(number)}`, 0);
        await pipeline.exec();
      }),
    wipe: () => inTurn(async () => void (await client.flushall())),
    settled: async () => void (await turn),
  };
}

/** Over a connection of its own: one that reconnects would send it again, to the next server. */
async function shutDown({ client }: RedisSandbox): Promise<void> {
  const once = client.duplicate({ retryStrategy: () => null, maxRetriesPerRequest: 0, lazyConnect: true });
  once.on('error', () => undefined);
  try {
    await once.connect();
    // The answer is a closed connection.
    await once.call('SHUTDOWN', 'NOSAVE').catch(() => undefined);
  } finally {
    once.disconnect();
  }
}
