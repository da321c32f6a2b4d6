import type { DurabilitySettings, RedisSettings } from '@holdfast/foundation/config';
import { withinMs } from '@holdfast/foundation/lifecycle';
import type { Logger } from '@holdfast/foundation/logging';
import { redisBackoff, type RedisClient, type RedisProfile } from '../redis/index.js';
import { createFsyncJudgement } from './fsync-judgement.js';
import type { ServerCheck } from './server-check.js';
import type { ServerFacts } from './server-facts.js';
import { logNewFindings, serverFindings, type Finding } from './server-findings.js';

/** What the Redis server says of itself, and whether its confirmations can be believed. */
export interface ServerJudgement {
  /** Whether a confirmed fsync is one. False until that is known, and once the server cannot be looked at. */
  believesFsync(): boolean;
  /** Resolves once the present server is judged, or cannot be. Never rejects. */
  judged(): Promise<void>;
  /** What an operator should know of the server: as fresh as agreed where Redis answers, else what was last known. Takes at most 0.5 s. */
  findings(): Promise<readonly Finding[]>;
  /** Names the server that was looked at last, and its start; null before the first look. */
  serverRun(): string | null;
  close(): Promise<void>;
}

export interface JudgementOptions {
  redis: RedisClient;
  settings: { redis: RedisSettings; durability: DurabilitySettings };
  /** How long a look counts, or as long as the profile says. Settings of a running server may be changed. */
  freshMs: number;
  profile: Pick<RedisProfile, 'factsFreshMs'>;
  check: ServerCheck;
  /** Called after each look; `isSuitable` is false where the server lacks what is needed. */
  onFacts?: (facts: ServerFacts, isSuitable: boolean) => void;
  /** Called when the opinion of its confirmations has changed. */
  onJudged?: () => void;
  log: Logger;
}

const PATIENCE_MS = 500;
/** Between two looks at an unsuitable server, whose successor may not have answered at once. */
const AGAIN_MS = 5_000;

/** Looks at each new connection, where another server may answer, and then only when asked: an idle process sends nothing. */
export function createServerJudgement(options: JudgementOptions): ServerJudgement {
  const { redis, settings, profile, check, onFacts, onJudged, log } = options;
  const freshMs = Math.max(options.freshMs, profile.factsFreshMs);
  const fsync = createFsyncJudgement(settings.redis, log);
  const rests = redisBackoff(redis);
  let facts: ServerFacts | null = null;
  let lookedAt = -Infinity;
  let serverRun: string | null = null;
  let logged: readonly Finding[] = [];
  let looking: Promise<void> | undefined;
  let judging = Promise.resolve();
  let again: NodeJS.Timeout | undefined;
  let closed = false;

  const judge = async (seen: ServerFacts): Promise<void> => {
    const before = fsync.known();
    if (await fsync.consider(seen)) rests.reset();
    else {
      lookedAt = -Infinity;
      void rests.rest();
    }
    if (fsync.known() !== before) onJudged?.();
  };
  const look = async (): Promise<void> => {
    try {
      facts = await check.look(redis);
    } catch (error) {
      void rests.rest();
      fsync.forget();
      log.warn('server.not_judged', { error });
      return;
    }
    lookedAt = performance.now();
    if (facts.runId !== '') serverRun = facts.runId;
    onFacts?.(facts, check.isSuitable());
    // Not part of the look: where the server must be measured it takes seconds.
    judging = judge(facts);
  };
  const lookOnce = (): Promise<void> =>
    (looking ??= look().finally(() => {
      looking = undefined;
    }));
  const refresh = async (): Promise<void> => {
    const isDue = performance.now() - lookedAt > freshMs && !rests.isResting();
    if (looking !== undefined || isDue) await lookOnce();
  };

  /** Workers that rest on an unsuitable server ask for no judgement. */
  const lookAgain = (): void => {
    clearTimeout(again);
    if (!closed && !check.isSuitable()) again = setTimeout(() => void lookOnce().then(lookAgain), AGAIN_MS);
  };
  const onReady = (): void => {
    lookedAt = -Infinity;
    // A look that is under way may have lost its connection to this one.
    void Promise.resolve(looking).then(lookOnce).then(lookAgain);
  };

  redis.on('ready', onReady);
  return {
    believesFsync: () => fsync.believed(),
    judged: async () => {
      await refresh();
      await judging;
    },
    findings: async () => {
      await withinMs(PATIENCE_MS, refresh(), undefined);
      if (facts === null) return check.findings();
      const confirmable = { fsynced: fsync.known(), replicated: !check.lacks('WAIT') };
      const found = serverFindings(facts, settings.durability, confirmable);
      logNewFindings(log, logged, found);
      logged = found;
      return [...found, ...check.findings()];
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
