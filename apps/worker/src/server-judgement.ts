import type { RedisSettings } from '@holdfast/shared/config';
import { createFsyncJudgement, type ServerCheck, type ServerFacts } from '@holdfast/shared/durability';
import type { Logger } from '@holdfast/shared/logging';
import { redisBackoff, type RedisClient, type RedisProfile } from '@holdfast/shared/redis';

/** Settings of a running server may be changed, so a judgement lasts a minute, or as long as its profile says; it is renewed only when one is needed. */
const LASTS_MS = 60_000;
const AGAIN_MS = 5_000;

export interface ServerJudgement {
  /** Whether a confirmed fsync is one. False until it is known. */
  believesFsync(): boolean;
  /** Resolves once the present server is judged, or cannot be. */
  judged(): Promise<void>;
  /** Names the server that was judged last, and its start; null before the first. */
  serverRun(): string | null;
  close(): Promise<void>;
}

export interface JudgementOptions {
  redis: RedisClient;
  settings: RedisSettings;
  profile: Pick<RedisProfile, 'factsFreshMs'>;
  check: ServerCheck;
  /** Told what each look at the Redis server shows; `isSuitable` is false where it lacks what is needed. */
  onFacts: (facts: ServerFacts, isSuitable: boolean) => void;
  log: Logger;
}

/** Keeps an opinion on the server's confirmations: taken anew after each reconnect, since another may have taken its place. */
export function createServerJudgement(options: JudgementOptions): ServerJudgement {
  const { redis, settings, check, onFacts, log } = options;
  const lastsMs = Math.max(LASTS_MS, options.profile.factsFreshMs);
  const fsync = createFsyncJudgement(settings, log);
  let judgedAt = -Infinity;
  let serverRun: string | null = null;
  let judging: Promise<void> | undefined;
  const rests = redisBackoff(redis);
  let again: NodeJS.Timeout | undefined;
  let closed = false;

  const judge = async (): Promise<void> => {
    try {
      const facts = await check.look(redis);
      onFacts(facts, check.isSuitable());
      if (facts.runId !== '') serverRun = facts.runId;
      if (!(await fsync.consider(facts))) return void rests.rest();
      judgedAt = performance.now();
      rests.reset();
    } catch (error) {
      void rests.rest();
      fsync.forget();
      log.warn('server.not_judged', { error });
    }
  };
  const begin = (): Promise<void> =>
    (judging ??= judge().finally(() => {
      judging = undefined;
    }));
  const onReady = (): void => {
    judgedAt = -Infinity;
    // A look that is under way may have lost its connection to this one.
    void Promise.resolve(judging).then(begin).then(lookAgain);
  };
  /** Workers that rest on an unsuitable server ask for no judgement, and its successor may not have answered at once. */
  const lookAgain = (): void => {
    clearTimeout(again);
    if (!closed && !check.isSuitable()) again = setTimeout(() => void begin().then(lookAgain), AGAIN_MS);
  };

  redis.on('ready', onReady);
  return {
    believesFsync: () => fsync.believed(),
    judged: async () => {
      const isDue = performance.now() - judgedAt > lastsMs && !rests.isResting();
      if (judging !== undefined || isDue) await begin();
    },
    serverRun: () => serverRun,
    close: async () => {
      redis.off('ready', onReady);
      closed = true;
      clearTimeout(again);
      await fsync.close();
    },
  };
}
