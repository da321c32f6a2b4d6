import type { DurabilitySettings, RedisSettings } from '@holdfast/foundation/config';
import type { Logger } from '@holdfast/foundation/logging';
import { redisErrorKind } from '../redis/index.js';
import { promisedFsync } from './fsync-honesty.js';
import { serverName, type ServerFacts } from './server-facts.js';
import type { ProbeResult } from './server-probes.js';

/** error: uploads are refused or will be lost; warning: degraded; notice: works, with a known limit. */
export type Severity = 'error' | 'warning' | 'notice';

/** Something that an operator should know: of the Redis server, the disk, the workers or the last sync. */
export interface Finding {
  /** Explained in docs/operations.md. */
  code: string;
  severity: Severity;
  /** What is, for people. */
  message: string;
  /** What to do, in one plain sentence. */
  fix: string;
}

/** What was seen of a server, and what is expected of it. */
export interface SeenServer {
  facts: ServerFacts;
  results: readonly ProbeResult[];
  /** Whether its confirmations of the disk are believed; null until that is known. */
  fsync: boolean | null;
}

interface Rule extends Finding {
  applies(facts: ServerFacts, settings: DurabilitySettings, server: SeenServer): boolean;
}

const persists = (facts: ServerFacts): boolean =>
  facts.aofEnabled === true || (facts.snapshotSchedule ?? '') !== '';
/** Nothing is known that keeps the data, and not all can be seen that could: many managed servers hide one or both. */
const hidden = (facts: ServerFacts): boolean =>
  !persists(facts) && (facts.aofEnabled === null || facts.snapshotSchedule === null);

/** What is judged of the server, as a list; the first words of each message say what is, the fix what to do. */
const rules: readonly Rule[] = [
  {
    code: 'PERSISTENCE_OFF',
    severity: 'warning',
    message: 'Redis keeps nothing on disk: a restart empties the catalog until a sync has refilled it.',
    fix: 'Set "appendonly yes" and "appendfsync always" on the server, or use a plan with persistence.',
    applies: (facts) => !hidden(facts) && !persists(facts),
  },
  {
    code: 'FSYNC_EVERYSEC',
    severity: 'notice',
    message:
      'Redis does not sync every write to disk: a crash can lose the last seconds of the catalog, which a sync restores.',
    fix: 'Set "appendfsync always" on the server.',
    applies: (facts) =>
      facts.aofEnabled === true && facts.fsyncPolicy !== null && facts.fsyncPolicy !== 'always',
  },
  {
    code: 'SNAPSHOTS_ONLY',
    severity: 'warning',
    message: 'Redis only takes snapshots: a crash loses everything since the last one.',
    fix: 'Set "appendonly yes" and "appendfsync always" on the server.',
    applies: (facts) => facts.aofEnabled === false && persists(facts),
  },
  {
    code: 'EVICTION_POLICY',
    severity: 'warning',
    message: 'Redis may throw away records and jobs when its memory is full.',
    fix: 'Set "maxmemory-policy noeviction" on the server.',
    applies: (facts) => facts.evictionPolicy !== null && facts.evictionPolicy !== 'noeviction',
  },
  {
    code: 'MEMORY_NEARLY_FULL',
    severity: 'warning',
    message: 'Redis has used more than 90 % of its memory limit; beyond it uploads are refused.',
    fix: 'Raise "maxmemory", or move to a larger plan.',
    applies: ({ usedMemory, maxMemory }) =>
      usedMemory !== null && maxMemory !== null && maxMemory > 0 && usedMemory > 0.9 * maxMemory,
  },
  {
    code: 'REDIS_CONNECTIONS',
    severity: 'warning',
    message: 'Redis has reached its connection limit and refuses further connections, those of workers too.',
    fix: 'Allow more connections ("maxclients", or a larger plan), or run fewer processes: docs/scaling.md says how many Holdfast needs.',
    applies: ({ connectedClients, maxClients }) =>
      connectedClients !== null && maxClients !== null && connectedClients >= maxClients,
  },
  {
    code: 'NO_REPLICAS',
    severity: 'warning',
    message: 'Redis has fewer replicas than records are expected to reach.',
    fix: 'Start the replicas, or lower DURABILITY_REPLICAS.',
    applies: ({ connectedReplicas }, { replicas }) =>
      replicas > 0 && connectedReplicas !== null && connectedReplicas < replicas,
  },
  {
    code: 'DURABILITY_UNREACHABLE',
    severity: 'error',
    message: 'No record can reach the level that DURABILITY_REQUIRED asks for: every file ends as failed.',
    fix: 'For replicated set DURABILITY_REPLICAS to 1 or more, on a server that answers WAIT; for fsynced set "appendonly yes" and "appendfsync always" on the server. Otherwise lower DURABILITY_REQUIRED.',
    applies: (facts, { required, replicas }, { fsync, results }) => {
      // A level that is confirmed by replicas is above that of the disk.
      const isReplicated =
        replicas > 0 && !lacking(results, false).some(({ probe }) => probe.name === 'WAIT');
      const isFsynced = promisedFsync(facts) ?? fsync !== false;
      return !isReplicated && (required === 'replicated' || (required === 'fsynced' && !isFsynced));
    },
  },
  {
    code: 'AOF_WRITE_FAILED',
    severity: 'error',
    message: 'The last write to the append-only file failed.',
    fix: 'Free space on the disk of the Redis server.',
    applies: (facts) => facts.lastAofWriteOk === false,
  },
  {
    code: 'RDB_SAVE_FAILED',
    severity: 'warning',
    message: 'The last snapshot of Redis failed.',
    fix: 'Free space on the disk of the Redis server, and look at its log.',
    applies: (facts) => facts.lastSnapshotOk === false,
  },
  {
    code: 'UNKNOWN_PERSISTENCE',
    severity: 'notice',
    message: 'The server does not reveal whether it keeps its data on disk.',
    fix: 'Check in the console of the provider that persistence is on and eviction is off.',
    applies: (facts) => hidden(facts) || (facts.aofEnabled === true && facts.fsyncPolicy === null),
  },
];

/** What an operator should know of this server, in the order of the rules. */
export function serverFindings(server: SeenServer, settings: DurabilitySettings): Finding[] {
  return rules
    .filter((rule) => rule.applies(server.facts, settings, server))
    .map(({ code, severity, message, fix }) => ({ code, severity, message, fix }));
}

/** What an operator should know of what the server lacks, or refuses to this user. */
export function lackFindings({ facts, results }: SeenServer, { replicas }: DurabilitySettings): Finding[] {
  const missing = lacking(results, true);
  const denied = results.filter(
    ({ outcome, said }, index) =>
      outcome === 'refused' &&
      redisErrorKind(new Error(said)) === 'credentials' &&
      // The refusal of the whole script shows in many probes.
      results.findIndex((other) => other.said === said) === index,
  );
  const limits = lacking(results, false).filter(
    ({ probe: { told } }) => told === 'always' || (told === 'with replicas' && replicas > 0),
  );
  const found: readonly (readonly [of: readonly ProbeResult[], finding: Finding])[] = [
    [
      missing,
      {
        code: 'REDIS_UNSUITABLE',
        severity: 'error',
        message: `${serverName(facts)} lacks what Holdfast needs: ${namesOf(missing)}. Workers pause.`,
        fix: fixesOf(missing),
      },
    ],
    [
      denied,
      {
        code: 'RIGHTS_MISSING',
        severity: 'error',
        message: `The user of Redis has no right to what Holdfast needs: ${namesOf(denied)}. Uploads wait for it.`,
        fix: 'Give the user the rights in docs/operations.md. Everything resumes within two minutes.',
      },
    ],
    [
      limits,
      {
        code: 'REDIS_LIMITED',
        severity: 'notice',
        message: limits.map(({ probe: { name, means } }) => `No ${name}: ${means}`).join(' '),
        fix: fixesOf(limits),
      },
    ],
  ];
  return found.filter(([of]) => of.length > 0).map(([, finding]) => finding);
}

/** What the server lacks of what is needed, or of what is not. */
export function lacking(results: readonly ProbeResult[], needed: boolean): ProbeResult[] {
  return results.filter(({ probe, outcome }) => outcome === 'lacking' && probe.needed === needed);
}

const namesOf = (results: readonly ProbeResult[]): string =>
  results.map(({ probe }) => probe.name).join(', ');
const fixesOf = (results: readonly ProbeResult[]): string =>
  [...new Set(results.map(({ probe }) => probe.fix))].join(' ');

/** Logs those that were not there before. */
export function logNewFindings(log: Logger, before: readonly Finding[], now: readonly Finding[]): void {
  const known = new Set(before.map(({ code }) => code));
  for (const finding of now)
    if (!known.has(finding.code))
      log[finding.severity === 'notice' ? 'info' : 'warn']('redis.finding', { finding });
}

/** What the settings alone tell of the connection; it stays so until the next start. */
export function connectionFindings({ connection }: Pick<RedisSettings, 'connection'>): Finding[] {
  if (connection.kind === 'socket' || !connection.tls || connection.verifiesCertificate !== false) return [];
  return [
    {
      code: 'REDIS_TLS_UNVERIFIED',
      severity: 'warning',
      message:
        'The certificate of Redis is not verified (REDIS_TLS_VERIFY=false): an attacker on the way could pose as it, and read the password and every record.',
      fix: 'Set REDIS_TLS_CA to the CA certificate of the provider, and remove REDIS_TLS_VERIFY. If the provider has none (Heroku), keep the connection within its network.',
    },
  ];
}
