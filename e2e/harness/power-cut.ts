import { readdir, readFile, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { startFaultProxy, type RedisSandbox } from '@holdfast/shared/testing';
import { Redis } from 'ioredis';

/** Longer than any fsync of a healthy disk, shorter than a test. */
const CONFIRMATION_MS = 10_000;
const markOf = (number: number): string => `power-cut:${String(number)}`;

/**
 * A link to Redis that learns what is on its disk without believing those who use it. Before each WAITAOF of a client it
 * writes a mark of its own and has that one confirmed on a connection of its own. WAITAOF only waits: it causes no fsync.
 */
export interface WatchedDisk {
  /** Where the clients that are watched find Redis. */
  port: number;
  confirmed(): number;
  /**
   * Ends the server and cuts its append-only file after the last mark that was confirmed: what came later may have been in
   * memory only. Answers with the number of bytes that are gone.
   */
  cutPower(): Promise<number>;
  close(): Promise<void>;
}

/** The server must not rewrite its append-only file meanwhile. */
export async function watchDisk(redis: RedisSandbox): Promise<WatchedDisk> {
  let marks = 0;
  let lastConfirmed = 0;
  const confirming = new Set<Promise<void>>();

  const confirm = async (own: Redis, number: number): Promise<void> => {
    try {
      const [local] = (await own.call('WAITAOF', 1, 0, CONFIRMATION_MS)) as number[];
      if (local === 1) lastConfirmed = Math.max(lastConfirmed, number);
    } catch {
      // The server is gone: not confirmed.
    } finally {
      own.disconnect();
    }
  };
  const mark = async (): Promise<void> => {
    marks += 1;
    const number = marks;
    // WAITAOF holds its connection up, and speaks only for what that connection has written.
    const own = new Redis(redis.url, { maxRetriesPerRequest: 0, retryStrategy: () => null });
    own.on('error', () => undefined);
    const written = own.set(markOf(number), 'x');
    const confirmation = confirm(own, number);
    confirming.add(confirmation);
    await written;
  };
  const proxy = await startFaultProxy(redis.port, {
    beforeRequest: async (piece) => {
      if (/waitaof/i.test(piece.toString('latin1'))) await mark().catch(() => undefined);
    },
  });
  return {
    port: proxy.port,
    confirmed: () => lastConfirmed,
    cutPower: async () => {
      await redis.kill();
      // Confirmations that were sent before the end still count.
      await Promise.all(confirming);
      const directory = join(redis.directory, 'appendonlydir');
      const file = (await readdir(directory)).find((name) => name.endsWith('.1.incr.aof'));
      if (file === undefined) throw new Error('no append-only file');
      return cutAfter(join(directory, file), lastConfirmed === 0 ? null : markOf(lastConfirmed));
    },
    close: () => proxy.close(),
  };
}

async function cutAfter(file: string, mark: string | null): Promise<number> {
  const content = await readFile(file);
  const command = mark === null ? '' : `$${String(mark.length)}\r\n${mark}\r\n$1\r\nx\r\n`;
  const from = content.indexOf(command);
  if (from < 0) throw new Error(`${command} is not in the append-only file`);
  const kept = from + command.length;
  await truncate(file, kept);
  return content.length - kept;
}
