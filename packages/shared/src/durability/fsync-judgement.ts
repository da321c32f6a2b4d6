import type { RedisSettings } from '../config/index.js';
import { createBackoff } from '../lifecycle/index.js';
import type { Logger } from '../logging/index.js';
import { closeRedis, connectRedis, isReadyWithin, type RedisClient } from '../redis/index.js';
import { believesFsync, promisedFsync } from './fsync-honesty.js';
import type { ServerFacts } from './server-facts.js';

/** An opinion on the word of the present server that a write is on disk. */
export interface FsyncJudgement {
  /** False until it is known. */
  believed(): boolean;
  /** The same, null until it is known. */
  known(): boolean | null;
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
  let believed: boolean | null = null;
  let judged = '';
  let present = '';
  let own: RedisClient | undefined;
  let measuring: { server: string; done: Promise<boolean> } | undefined;
  let closed = false;
  const rests = createBackoff();

  const settle = (server: string, facts: ServerFacts, believes: boolean): void => {
    // Another one may have taken its place while it was measured.
    if (server !== present) return;
    believed = believes;
    judged = server;
    log.info('server.judged', { server: facts.server, version: facts.version, believesFsync: believed });
  };

  const measure = async (server: string, facts: ServerFacts): Promise<boolean> => {
    own = connectRedis(settings.connection, 'barrier', log);
    try {
      if (await isReadyWithin(own, CONNECT_WITHIN_MS))
        settle(server, facts, await believesFsync(own, settings.prefix, facts));
    } catch (error) {
      if (!closed) log.warn('server.not_judged', { error });
    } finally {
      await closeRedis(own);
    }
    if (server === judged) rests.reset();
    else void rests.rest();
    return server === judged;
  };

  return {
    believed: () => believed === true,
    known: () => believed,
    consider: async (facts) => {
      const server = [facts.runId, facts.aofEnabled, facts.fsyncPolicy].join();
      if (server === judged || closed) return server === judged;
      present = server;
      believed = null;
      judged = '';
      const promised = promisedFsync(facts);
      if (promised !== null) {
        settle(server, facts, promised);
        return true;
      }
      // Measured one after another: two at once would disturb each other.
      if (measuring !== undefined && measuring.server !== server) await measuring.done;
      if (server !== present || closed || rests.isResting()) return false;
      measuring ??= {
        server,
        done: measure(server, facts).finally(() => {
          measuring = undefined;
        }),
      };
      return measuring.done;
    },
    forget: () => {
      believed = null;
      judged = '';
      present = '';
      rests.reset();
    },
    close: async () => {
      closed = true;
      own?.disconnect();
      await measuring?.done;
    },
  };
}
