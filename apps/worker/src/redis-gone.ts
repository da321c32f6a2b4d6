import type { RedisClient } from '@holdfast/shared/redis';

/** A stop waits this long for jobs while Redis is away: they cannot end, and others will find them stalled. */
const WITHOUT_REDIS_MS = 1_000;

/** Resolves once Redis is away during a stop: BullMQ would wait for ever for the end of a connection that is not there. */
export function redisGone(connection: RedisClient): { promise: Promise<void>; forget: () => void } {
  let timer: NodeJS.Timeout | undefined;
  let begin = (): void => undefined;
  const promise = new Promise<void>((resolve) => {
    begin = () => {
      timer ??= setTimeout(resolve, WITHOUT_REDIS_MS);
    };
  });
  if (connection.status === 'ready') connection.once('close', begin);
  else begin();
  return {
    promise,
    forget: () => {
      clearTimeout(timer);
      connection.off('close', begin);
    },
  };
}
