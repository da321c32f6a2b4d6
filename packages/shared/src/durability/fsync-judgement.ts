import type { DurabilitySettings, RedisSettings } from '../config/index.js';
import { createBackoff } from '../lifecycle/index.js';
import type { Logger } from '../logging/index.js';
import { closeRedis, connectRedis, isReadyWithin, type RedisClient } from '../redis/index.js';
import { believesFsync, promisedFsync, tellsReplicas } from './fsync-honesty.js';
import type { ServerFacts } from './server-facts.js';

/** What the present server can confirm of a write. */
export interface Confirmable {
  fsynced: boolean;
  replicated: boolean;
}

/** An opinion on the word of the present server that a write is on disk. */
export interface FsyncJudgement {
  /** False until it is known. */
  believed(): boolean;
  /** Null until it is known. */
  confirmable(): Confirmable | null;
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

/**
 * What needs measuring is measured on a connection of its own: how long the server takes when nothing else is asked of it. Where
 * `replicas` are expected, also whether it tells of them.
 */
export function createFsyncJudgement(
  settings: RedisSettings,
  log: Logger,
  { replicas }: Pick<DurabilitySettings, 'replicas'> = { replicas: 0 },
): FsyncJudgement {
  let believed = false;
  let confirmable: Confirmable | null = null;
  let judged = '';
  let present = '';
  let own: RedisClient | undefined;
  let measuring: { server: string; done: Promise<boolean> } | undefined;
  let closed = false;
  const rests = createBackoff();

  const settle = (server: string, facts: ServerFacts, answer: Confirmable): void => {
    // Another one may have taken its place while it was measured.
    if (server !== present) return;
    believed = answer.fsynced;
    confirmable = answer;
    judged = server;
    log.info('server.judged', {
      server: facts.server,
      version: facts.version,
      believesFsync: believed,
      ...(replicas > 0 ? { tellsReplicas: answer.replicated } : {}),
    });
  };

  const measure = async (server: string, facts: ServerFacts): Promise<boolean> => {
    own = connectRedis(settings.connection, 'barrier', log);
    try {
      if (await isReadyWithin(own, CONNECT_WITHIN_MS)) {
        const replicated = replicas > 0 && (await tellsReplicas(own));
        settle(server, facts, { fsynced: await believesFsync(own, settings.prefix, facts), replicated });
      }
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
    believed: () => believed,
    confirmable: () => confirmable,
    consider: async (facts) => {
      const server = [facts.runId, facts.aofEnabled, facts.fsyncPolicy].join();
      if (server === judged || closed) return server === judged;
      present = server;
      confirmable = null;
      judged = '';
      const promised = promisedFsync(facts);
      believed = promised === true;
      if (promised !== null && replicas === 0) {
        settle(server, facts, { fsynced: promised, replicated: false });
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
      believed = false;
      confirmable = null;
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
