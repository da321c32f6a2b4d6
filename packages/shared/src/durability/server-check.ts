import type { DurabilitySettings } from '@holdfast/foundation/config';
import type { Logger } from '@holdfast/foundation/logging';
import { redisKeys, serverOf, type RedisClient } from '../redis/index.js';
import { profileNameOf, type Examination } from './examine-server.js';
import { readServerFacts, type ServerFacts } from './server-facts.js';
import { lackFindings, logNewFindings, type Finding } from './server-findings.js';
import { probeServer } from './server-probes.js';

/** What the present server lacks. */
export interface ServerCheck {
  /** Looks at the server that holds our keys, and tries it where it is another one than the last. Throws CATALOG_UNAVAILABLE. */
  look(redis: RedisClient): Promise<ServerFacts>;
  findings(): readonly Finding[];
  /** False where the server lacks what is needed. */
  isSuitable(): boolean;
  /** Whether the probe of this name has shown that it is not there. */
  lacks(name: string): boolean;
}

export interface ServerCheckOptions {
  /** What was found at the start; that server is not tried again. */
  examination: Examination;
  durability: DurabilitySettings;
  log: Logger;
}

/** A server that refuses its trial, for want of a right or of room, is tried again after so long. */
const AGAIN_MS = 60_000;

/** Goes on where the start has ended: a server that was away then, or has taken the place of another, is tried once. */
export function createServerCheck({ examination, durability, log }: ServerCheckOptions): ServerCheck {
  const { redis, examined } = examination;
  const nameOf = ({ runId, server, version }: ServerFacts): string => [runId, server, version].join();
  let tried = '';
  let triedAt = -Infinity;
  let isKnown = false;
  let findings: readonly Finding[] = [];
  let lacking: readonly string[] = [];

  const take = (facts: ServerFacts, results: Parameters<typeof lackFindings>[1]): void => {
    tried = nameOf(facts);
    triedAt = performance.now();
    isKnown = results.every(({ outcome }) => outcome !== 'refused');
    lacking = results.filter(({ outcome }) => outcome === 'lacking').map(({ probe }) => probe.name);
    const before = findings;
    findings = lackFindings(facts, results, durability);
    logNewFindings(log, before, findings);
  };
  if (examined !== null) take(examined.facts, examined.results);

  return {
    look: async (client) => {
      const server = await serverOf(client, redisKeys(redis.prefix).barrier);
      const facts = await readServerFacts(server);
      if (tried === nameOf(facts) && (isKnown || performance.now() - triedAt < AGAIN_MS)) return facts;
      // The profile was chosen before this server was seen, and stays until the next start.
      const found = profileNameOf(facts);
      if (examined === null && tried === '' && redis.profile === null && found !== 'standard')
        log.warn('redis.profile_differs', { profile: 'standard', found });
      take(facts, await probeServer(server, redis, facts));
      return facts;
    },
    findings: () => findings,
    isSuitable: () => findings.every(({ code }) => code !== 'REDIS_UNSUITABLE'),
    lacks: (name) => lacking.includes(name),
  };
}
