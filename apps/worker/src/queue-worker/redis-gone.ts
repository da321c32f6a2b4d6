import type { RedisClient } from '@holdfast/shared/redis';

/** A stop waits this long for jobs while Redis is away: they cannot end, and others will find them stalled. */
const WITHOUT_REDIS_MS = 1_000;
/** A Redis that does not answer for so long is away too, though its connections stand: paused, or behind a dead line. */
const SILENT_MS = 3_000;
const ASK_EVERY_MS = 1_000;

/** Resolves once Redis is away during a stop: BullMQ would wait for ever for jobs whose end cannot be stored. */
export function redisGone(connection: RedisClient): { promise: Promise<void>; forget: () => void } {
  let timer: NodeJS.Timeout | undefined;
  let asking: NodeJS.Timeout | undefined;
  let resolveGone = (): void => undefined;
  const promise = new Promise<void>((resolve) => {
    resolveGone = resolve;
  });
  const begin = (): void => {
    timer ??= setTimeout(resolveGone, WITHOUT_REDIS_MS);
  };
  const ask = (): void => {
    asking = setTimeout(resolveGone, SILENT_MS);
    connection.ping().then(askLater, () => undefined);
  };
  const askLater = (): void => {
    if (forgotten) return;
    clearTimeout(asking);
    asking = setTimeout(ask, ASK_EVERY_MS);
  };
  // A moment without it is no outage.
  const back = (): void => {
    clearTimeout(timer);
    timer = undefined;
    clearTimeout(asking);
    ask();
  };
  let forgotten = false;
  connection.on('close', begin);
  connection.on('ready', back);
  if (connection.status === 'ready') ask();
  else begin();
  return {
    promise,
    forget: () => {
      forgotten = true;
      clearTimeout(timer);
      clearTimeout(asking);
      connection.off('close', begin);
      connection.off('ready', back);
    },
  };
}
