import type { RedisSettings } from '../config/index.js';
import type { Logger } from '../logging/index.js';
import { closeRedis, connectRedis, isReadyWithin, type RedisClient } from '../redis/index.js';
import { believesFsync, promisedFsync } from './fsync-honesty.js';
import type { ServerFacts } from './server-facts.js';

/** An opinion on the word of the present server that a write is on disk. */
export interface FsyncJudgement {
  /** False until it is known. */
  believed(): boolean;
  /**
   * Told of every look at the server; judges anew when another server, or another policy, has taken its place. Resolves
   * once it is judged; false when it cannot be now, and the next look tries again. Never rejects.
   */
  consider(facts: ServerFacts): Promise<boolean>;
  /** Nothing is known of the present server. */
  forget(): void;
  close(): Promise<void>;
}

const CONNECT_WITHIN_MS = 2_000;

/** What needs measuring is measured on a connection of its own: how long the server takes when nothing else is asked of it. */
export function createFsyncJudgement(settings: RedisSettings, log: Logger): FsyncJudgement {
  let believed = false;
  let judged = '';
  let present = '';
  let own: RedisClient | undefined;
  let measuring: { server: string; done: Promise<boolean> } | undefined;
  let closed = false;

  const settle = (server: string, facts: ServerFacts, answer: boolean): void => {
    // Another one may have taken its place while it was measured.
    if (server !== present) return;
    believed = answer;
    judged = server;
    log.info('server.judged', { server: facts.server, version: facts.version, believesFsync: answer });
  };

  const measure = async (server: string, facts: ServerFacts): Promise<boolean> => {
    own = connectRedis(settings.connection, 'barrier', log);
    try {
      if (!(await isReadyWithin(own, CONNECT_WITHIN_MS))) return false;
      settle(server, facts, await believesFsync(own, settings.prefix, facts));
    } catch (error) {
      if (!closed) log.warn('server.not_judged', { error });
    } finally {
      await closeRedis(own);
    }
    return server === judged;
  };

  return {
    believed: () => believed,
    consider: async (facts) => {
      const server = [facts.runId, facts.aofEnabled, facts.fsyncPolicy].join();
      if (server === judged || closed) return server === judged;
      present = server;
      believed = false;
      judged = '';
      const promised = promisedFsync(facts);
      if (promised !== null) {
        settle(server, facts, promised);
        return true;
      }
      // Measured one after another: two at once would disturb each other.
      if (measuring !== undefined && measuring.server !== server) await measuring.done;
      if (server !== present || closed) return false;
      measuring ??= {
        server,
        done: measure(server, facts).finally(() => {
          measuring = undefined;
        }),
      };
      return measuring.done;
    },
    forget: () => {
      believed = false;
      judged = '';
      present = '';
    },
    close: async () => {
      closed = true;
      own?.disconnect();
      await measuring?.done;
    },
  };
}
