import { z } from 'zod';
import { redisEdge, type RedisClient, type RedisKeys } from '../redis/index.js';

const ticket = z.object({
  publicId: z.string(),
  /** Of the file's name, where the public id is signed without it. Tickets of an earlier version know none. */
  extension: z.string().default(''),
  /** The account stored its file under another name, and it was removed again. */
  altered: z.boolean().default(false),
});

/** What must be known about an upload that a client may send straight to the host. Everything else the asset carries itself. */
export type Ticket = z.infer<typeof ticket>;

export type Tickets = ReturnType<typeof createTickets>;

/**
 * The tickets that were given out. Redis forgets them by itself. Losing one early loses no upload, since the asset tells what it is.
 * Every function throws QUEUE_UNAVAILABLE when Redis cannot serve.
 */
export function createTickets(redis: RedisClient, keys: RedisKeys) {
  const run = redisEdge('QUEUE_UNAVAILABLE');
  const find = (id: string): Promise<Ticket | null> =>
    run(async () => {
      const stored = await redis.get(keys.ticket(id));
      return stored === null ? null : ticket.parse(JSON.parse(stored));
    });
  return {
    find,
    issue: (id: string, issued: Pick<Ticket, 'publicId' | 'extension'>, forMs: number): Promise<unknown> =>
      run(() => redis.set(keys.ticket(id), JSON.stringify(issued), 'PX', forMs)),
    noteAltered: async (id: string): Promise<void> => {
      const stored = await find(id);
      if (stored === null) return;
      await run(() => redis.set(keys.ticket(id), JSON.stringify({ ...stored, altered: true }), 'KEEPTTL'));
    },
  };
}
