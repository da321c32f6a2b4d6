import type { RedisSettings } from '@holdfast/shared/config';
import { believesFsync, type ServerFacts } from '@holdfast/shared/durability';
import type { Logger } from '@holdfast/shared/logging';
import { closeRedis, connectRedis, isReadyWithin, type RedisClient } from '@holdfast/shared/redis';

/** An opinion on the word of the present server that a write is on disk. */
export interface FsyncJudgement {
  /** False until it is known. */
  believed(): boolean;
  /** Told of every look at the server; judges anew when another server, or another policy, has taken its place. */
  consider(facts: ServerFacts): void;
  close(): Promise<void>;
}

const CONNECT_WITHIN_MS = 2_000;

/** What needs measuring is measured on a connection of its own: how long the server takes when nothing else is asked of it. */
export function createFsyncJudgement(settings: RedisSettings, log: Logger): FsyncJudgement {
  let believed = false;
  let judged = '';
  let own: RedisClient | undefined;
  let measuring: Promise<void> | undefined;
  let closed = false;

  const measure = async (facts: ServerFacts, server: string): Promise<void> => {
    own = connectRedis(settings.connection, 'barrier', log);
    try {
      if (!(await isReadyWithin(own, CONNECT_WITHIN_MS))) return;
      believed = await believesFsync(own, settings.prefix, facts);
      judged = server;
    } catch (error) {
      // Not judged: the next look tries again.
      if (!closed) log.debug('redis.honesty_unknown', { error });
    } finally {
      await closeRedis(own);
    }
  };

  return {
    believed: () => believed,
    consider: (facts) => {
      const server = [facts.runId, facts.aofEnabled, facts.fsyncPolicy].join();
      if (server === judged || closed) return;
      believed = facts.aofEnabled === true && facts.fsyncPolicy === 'always';
      if (believed || facts.aofEnabled === false) {
        judged = server;
        return;
      }
      measuring ??= measure(facts, server).finally(() => {
        measuring = undefined;
      });
    },
    close: async () => {
      closed = true;
      own?.disconnect();
      await measuring;
    },
  };
}
