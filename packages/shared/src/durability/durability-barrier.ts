import { Cluster, type ChainableCommander } from 'ioredis';
import type { DurabilityLevel } from '@holdfast/foundation/config';
import {
  connectionEpoch,
  redisEdge,
  redisErrorKind,
  type RedisClient,
  type RedisKeys,
} from '../redis/index.js';

/** After this time a barrier has confirmed nothing. */
const BARRIER_TIMEOUT_MS = 5_000;
/** A person or a probe waits for the removal of a record. */
const REMOVAL_TIMEOUT_MS = 2_500;

/** Asks the server how safe the writes before it are. */
export type Barrier = ReturnType<typeof createBarrier>;

/**
 * Confirms writes with WAITAOF and WAIT (docs/decisions/0003-what-verified-means.md). `redis`: a connection of the role `barrier`, used
 * for nothing else. `believesFsync`: false where the server confirms without having synced: the level stays `written`.
 */
export function createBarrier(
  redis: RedisClient,
  keys: RedisKeys,
  replicas: number,
  believesFsync: () => boolean,
) {
  const guarded = redisEdge('CATALOG_UNAVAILABLE');
  let count = 0;
  let next: Promise<DurabilityLevel> | undefined;
  let last: Promise<unknown> = Promise.resolve();

  // A write of our own, then WAITAOF, in a pipeline: the write makes the answer cover earlier writes of other connections. Inside
  // MULTI or Lua the server would answer at once, and not truly.
  const cross = (write: (pipeline: ChainableCommander) => unknown, timeoutMs: number) =>
    guarded(async () => {
      const pipeline = redis.pipeline();
      write(pipeline);
      // A confirmation that would not be believed is not waited for.
      const asksDisk = believesFsync();
      if (asksDisk) pipeline.call('WAITAOF', 1, 0, timeoutMs);
      if (replicas > 0) pipeline.call('WAIT', replicas, timeoutMs);
      const [written, ...confirmations] = (await pipeline.exec()) ?? [];
      if (!written || written[0]) {
        // WAIT names no key, so it succeeds on the wrong node, and the client does not follow the write by itself.
        if (redis instanceof Cluster) await redis.exists(keys.barrier);
        throw written?.[0] ?? new Error('the barrier had no answer');
      }
      // Lost after the write was accepted: the server that answers next may not have it.
      const lost = confirmations.find(([error]) => redisErrorKind(error) === 'unreachable')?.[0];
      if (lost) throw lost;
      // A refusal (append-only file off, unknown command) confirms only that the write was accepted.
      const synced = asksDisk ? confirmations.shift() : undefined;
      const [replicated] = confirmations;
      const isOnDisk = !synced?.[0] && Number((synced?.[1] as unknown[] | undefined)?.[0]) >= 1;
      const isReplicated = replicas > 0 && !replicated?.[0] && Number(replicated?.[1]) >= replicas;
      const level = isReplicated ? 'replicated' : isOnDisk && believesFsync() ? 'fsynced' : 'written';
      return { value: written[1], level } as const;
    });

  const begin = async (): Promise<DurabilityLevel> => {
    next = undefined;
    count += 1;
    return (await cross((pipeline) => pipeline.set(keys.barrier, count), BARRIER_TIMEOUT_MS)).level;
  };
  return {
    /** Grows with each new connection. A level counts only when the epoch was the same at the read-back. */
    epoch: connectionEpoch(redis, keys.barrier),
    /**
     * Resolves with what the server confirmed for every write that was acknowledged before this call. Callers that wait share one
     * round trip: WAITAOF blocks the connection, so barriers follow each other, and one serves all that arrived during the last.
     * Throws CATALOG_UNAVAILABLE when the connection was lost: read back again.
     */
    confirm: (): Promise<DurabilityLevel> => {
      if (next === undefined) {
        next = last.then(begin);
        last = next.catch(() => undefined);
      }
      return next;
    },
    /**
     * Reads one record over this connection, removes it, and confirms its write as above. `value` is null where the record is not
     * there: then the level says nothing.
     */
    confirmRemoving: async (key: string): Promise<{ value: string | null; level: DurabilityLevel }> => {
      const { value, level } = await cross((pipeline) => pipeline.getdel(key), REMOVAL_TIMEOUT_MS);
      return { value: typeof value === 'string' ? value : null, level };
    },
  };
}
