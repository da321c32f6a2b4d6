import type { RedisConnection } from '@holdfast/shared/config';
import { believesFsync, readServerFacts, type ServerFacts } from '@holdfast/shared/durability';
import type { Logger } from '@holdfast/shared/logging';
import { closeRedis, connectRedis, isReadyWithin, type RedisClient } from '@holdfast/shared/redis';

/** Settings of a running server may be changed, so a judgement lasts a minute; it is renewed only when one is needed. */
const LASTS_MS = 60_000;
const PROBE_CONNECT_MS = 2_000;

export interface ServerJudgement {
  /** Whether a confirmed fsync is one. False until it is known. */
  believesFsync(): boolean;
  /** Resolves once the present server is judged, or cannot be. */
  judged(): Promise<void>;
}

export interface JudgementOptions {
  redis: RedisClient;
  connection: RedisConnection;
  prefix: string;
  onFacts: (facts: ServerFacts) => void;
  log: Logger;
}

/** Keeps an opinion on the server's confirmations: taken anew after each reconnect, since another may have taken its place. */
export function createServerJudgement(options: JudgementOptions): ServerJudgement {
  const { redis, connection, prefix, onFacts, log } = options;
  let believed = false;
  let judgedAt = -Infinity;
  let judgedServer = '';
  let judging: Promise<void> | undefined;

  const judge = async (): Promise<void> => {
    try {
      const facts = await readServerFacts(redis);
      const server = [facts.runId, facts.aofEnabled, facts.fsyncPolicy].join();
      if (server !== judgedServer) {
        believed = await probe(facts);
        judgedServer = server;
        log.info('server.judged', { server: facts.server, version: facts.version, believesFsync: believed });
      }
      judgedAt = performance.now();
      onFacts(facts);
    } catch (error) {
      believed = false;
      judgedServer = '';
      log.warn('server.not_judged', { error });
    }
  };
  // The probe blocks its connection for seconds, so it has one of its own.
  const probe = async (facts: ServerFacts): Promise<boolean> => {
    const own = connectRedis(connection, 'barrier', log);
    try {
      await isReadyWithin(own, PROBE_CONNECT_MS);
      return await believesFsync(own, prefix, facts);
    } finally {
      await closeRedis(own);
    }
  };
  const begin = (): Promise<void> =>
    (judging ??= judge().finally(() => {
      judging = undefined;
    }));

  redis.on('ready', () => {
    judgedAt = -Infinity;
    void begin();
  });
  return {
    believesFsync: () => believed,
    judged: async () => {
      if (judging !== undefined || performance.now() - judgedAt > LASTS_MS) await begin();
    },
  };
}
