import { performance } from 'node:perf_hooks';
import { HoldfastError } from '@holdfast/shared/errors';
import { ACKNOWLEDGE_WITHIN_MS, type Intents } from '@holdfast/shared/intents';
import type { Logger } from '@holdfast/shared/logging';

const BEAT_EVERY_MS = 5_000;

export interface Heartbeat {
  /** Begins to beat for an intent that Redis has just acknowledged. `giveUp` is called when the sweep declared it dead. */
  begin(id: string, giveUp: (reason: HoldfastError) => void): void;
  end(id: string): void;
  /** True while an upload may be acknowledged without asking Redis again: nobody destroys its asset before. */
  isFresh(id: string): boolean;
  /** Uploads under way. */
  size(): number;
}

/** Keeps the intents of running uploads alive, all in one command, and only while there are any. */
export function createHeartbeat(intents: Pick<Intents, 'beat'>, log: Logger): Heartbeat {
  const running = new Map<string, { acknowledgedAt: number; giveUp: (reason: HoldfastError) => void }>();
  let timer: NodeJS.Timeout | undefined;

  const beat = async (): Promise<void> => {
    const ids = [...running.keys()];
    const askedAt = performance.now();
    try {
      const states = await intents.beat(ids);
      for (const [index, id] of ids.entries()) {
        const entry = running.get(id);
        if (entry === undefined) continue;
        if (states[index] === 'live') entry.acknowledgedAt = askedAt;
        if (states[index] === 'dead')
          entry.giveUp(new HoldfastError('UPLOAD_EXPIRED', undefined, { retryAfterSeconds: 1 }));
      }
    } catch (error) {
      // Redis is away: the acknowledgements grow old by themselves, and isFresh says so.
      log.debug('upload.heartbeat_failed', { error });
    }
  };

  const stopWhenIdle = (): void => {
    if (running.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };

  return {
    begin: (id, giveUp) => {
      running.set(id, { acknowledgedAt: performance.now(), giveUp });
      timer ??= setInterval(() => void beat(), BEAT_EVERY_MS);
    },
    end: (id) => {
      running.delete(id);
      stopWhenIdle();
    },
    isFresh: (id) => {
      const entry = running.get(id);
      return entry !== undefined && performance.now() - entry.acknowledgedAt < ACKNOWLEDGE_WITHIN_MS;
    },
    size: () => running.size,
  };
}
