import { Cluster } from 'ioredis';
import type { DurabilityLevel, DurabilitySettings } from '@holdfast/foundation/config';
import {
  connectionEpoch,
  fromRedisError,
  redisErrorKind,
  type RedisClient,
  type RedisKeys,
} from '../redis/index.js';

/** How long one barrier may take before it confirms nothing. */
const BARRIER_TIMEOUT_MS = 5_000;
/** Whoever removes a record waits for an answer to a person, or a probe. */
const REMOVAL_TIMEOUT_MS = 2_500;
/** Under fsync every second a barrier takes up to a second: then several overlap, begun this far apart. */
const SLOW_MS = 100;
const SLOW_SPACING_MS = 150;
const SLOW_OVERLAP = 4;

/** Asks the server how safe the writes before it are. */
export interface Barrier {
  /**
   * Resolves with what the server confirmed for every write that was acknowledged before this call. One round trip
   * serves all callers that wait. Throws CATALOG_UNAVAILABLE when the connection was lost: read back again.
   */
  confirm(): Promise<DurabilityLevel>;
  /**
   * The same for the write of one record, which is read back over this connection and removed. Answers its value too, null where
   * it is not there: then the level says nothing.
   */
  confirmRemoving(key: string): Promise<{ value: string | null; level: DurabilityLevel }>;
  /** Grows with each new connection: a level counts only when it was the same at the read-back. */
  epoch(): number;
}

/** What `createBarrier` works with. */
export interface BarrierOptions {
  /** A connection of the role `barrier`, used for nothing else. */
  redis: RedisClient;
  keys: RedisKeys;
  /** Only `replicas` counts here; what is required is judged by the caller. */
  settings: DurabilitySettings;
  /** False where the server confirms without having synced: the level stays `written`. */
  believesFsync: () => boolean;
}

interface Group {
  result: Promise<DurabilityLevel>;
  settle: (result: Promise<DurabilityLevel>) => void;
}

/** Groups verifications behind WAITAOF and WAIT (docs/decisions/0003-what-verified-means.md). */
export function createBarrier({ redis, keys, settings, believesFsync }: BarrierOptions): Barrier {
  let waiting: Group | undefined;
  let running = 0;
  let count = 0;
  let lastDurationMs = 0;
  let lastStart = -Infinity;
  const epoch = connectionEpoch(redis, keys.barrier);

  // A write of our own, then WAITAOF, in a pipeline: the write is what makes the answer cover earlier writes of other
  // connections, and inside MULTI or Lua the server would answer at once and not truly.
  const cross = async (removed?: string): Promise<{ value: unknown; level: DurabilityLevel }> => {
    count += 1;
    const pipeline = redis.pipeline();
    if (removed === undefined) pipeline.set(keys.barrier, count);
    else pipeline.getdel(removed);
    // Where a confirmation would not be believed, nobody waits for it: without fsync it would only come by its timeout.
    const believed = believesFsync();
    const timeoutMs = removed === undefined ? BARRIER_TIMEOUT_MS : REMOVAL_TIMEOUT_MS;
    if (believed) pipeline.call('WAITAOF', 1, 0, timeoutMs);
    if (settings.replicas > 0) pipeline.call('WAIT', settings.replicas, timeoutMs);
    const [write, ...confirmations] = (await pipeline.exec()) ?? [];
    const synced = believed ? confirmations.shift() : undefined;
    const [replicated] = confirmations;
    if (!write || write[0]) {
      // WAIT names no key, and so succeeds on the wrong node: then the client does not follow the write by itself.
      if (redis instanceof Cluster) await redis.exists(keys.barrier);
      throw write?.[0] ?? new Error('the barrier had no answer');
    }
    // Lost after the write was taken: who answers next may not have it.
    for (const reply of [synced, replicated]) {
      const lost = reply?.[0];
      if (lost && redisErrorKind(lost) === 'unreachable') throw lost;
    }
    const [, value] = write;
    if (settings.replicas > 0 && !replicated?.[0] && Number(replicated?.[1]) >= settings.replicas)
      return { value, level: 'replicated' };
    // A refusal (append-only file off, unknown command) confirms nothing more than that the write was taken.
    const onDisk = synced?.[0] ? 0 : Number((synced?.[1] as unknown[] | undefined)?.[0] ?? 0);
    return { value, level: onDisk >= 1 && believesFsync() ? 'fsynced' : 'written' };
  };

  const begin = (): void => {
    if (waiting === undefined) return;
    const slow = lastDurationMs > SLOW_MS;
    if (running >= (slow ? SLOW_OVERLAP : 1)) return;
    const now = performance.now();
    const early = slow && running > 0 ? lastStart + SLOW_SPACING_MS - now : 0;
    if (early > 0) {
      setTimeout(begin, early).unref();
      return;
    }
    const group = waiting;
    waiting = undefined;
    running += 1;
    lastStart = now;
    const crossing = cross()
      .then(({ level }) => level)
      .finally(() => {
        running -= 1;
        lastDurationMs = performance.now() - now;
        begin();
      });
    group.settle(crossing);
  };

  return {
    epoch,
    confirmRemoving: async (key) => {
      try {
        const { value, level } = await cross(key);
        return { value: typeof value === 'string' ? value : null, level };
      } catch (error) {
        throw fromRedisError(error, 'CATALOG_UNAVAILABLE');
      }
    },
    confirm: async () => {
      waiting ??= newGroup();
      const { result } = waiting;
      // Later in this turn, so that verifications that finish together form one group.
      queueMicrotask(begin);
      try {
        return await result;
      } catch (error) {
        throw fromRedisError(error, 'CATALOG_UNAVAILABLE');
      }
    },
  };
}

function newGroup(): Group {
  let settle: Group['settle'] = () => undefined;
  const result = new Promise<DurabilityLevel>((resolve) => {
    settle = resolve;
  });
  return { result, settle };
}
