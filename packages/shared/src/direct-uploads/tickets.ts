import { z } from 'zod';
import { redisEdge, type RedisClient, type RedisKeys } from '../redis/index.js';

/** What must be known of an upload that a client may send straight to the host. Everything else the asset carries itself. */
export interface Ticket {
  publicId: string;
  /** Of the file's name, where the public id is signed without it; empty where there is none. */
  extension: string;
  /** The account stored its file under another name, and it was removed again. */
  altered?: boolean | undefined;
}

// Those of an earlier version know no extension.
const ticket = z.object({
  publicId: z.string(),
  extension: z.string().default(''),
  altered: z.boolean().optional(),
});

/**
 * The tickets that were given out. One that is not used leaves nothing: Redis forgets it by itself. Losing one early
 * loses no upload, since the asset tells what it is. Every function throws QUEUE_UNAVAILABLE when Redis cannot serve.
 */
export function createTickets(redis: RedisClient, keys: RedisKeys) {
  const run = redisEdge('QUEUE_UNAVAILABLE');
  return {
    issue: (id: string, { publicId, extension }: Ticket, forMs: number): Promise<void> =>
      run(async () => {
        await redis.set(keys.ticket(id), JSON.stringify({ publicId, extension }), 'PX', forMs);
      }),
    find: (id: string): Promise<Ticket | null> =>
      run(async () => {
        const stored = await redis.get(keys.ticket(id));
        return stored === null ? null : ticket.parse(JSON.parse(stored));
      }),
    noteAltered: (id: string): Promise<void> =>
      run(async () => {
        const stored = await redis.get(keys.ticket(id));
        if (stored === null) return;
        const noted = { ...ticket.parse(JSON.parse(stored)), altered: true };
        await redis.set(keys.ticket(id), JSON.stringify(noted), 'KEEPTTL');
      }),
    used: (id: string): Promise<void> =>
      run(async () => {
        await redis.del(keys.ticket(id));
      }),
  };
}

/** What `createTickets` gives. Only the API gives tickets out. */
export type Tickets = ReturnType<typeof createTickets>;
