import {
  isUnnamed,
  type DurabilitySettings,
  type RedisConnection,
  type RedisNode,
  type RedisSettings,
} from '@holdfast/foundation/config';
import { redisErrorKind, redisFault } from '../redis/index.js';
import { confirmsTruly, serverName, type ServerFacts } from './server-facts.js';
import type { ProbeResult } from './server-probes.js';

/** error: uploads are refused or will be lost; warning: degraded; notice: works, with a known limit. */
export type Severity = 'error' | 'warning' | 'notice';

/** Something that an operator should know: of the Redis server, the disk, the workers or the last sync. */
export interface Finding {
  /** Explained in docs/operations.md. */
  code: string;
  severity: Severity;
  /** What is wrong, for people. */
  message: string;
  /** What to do, in one plain sentence. */
  fix: string;
}

/** The finding, where it applies. */
const finding =
  (severity: Severity) =>
  (applies: boolean, code: string, message: string, fix: string): Finding[] =>
    applies ? [{ code, severity, message, fix }] : [];
export const serious = finding('error');
export const warning = finding('warning');
export const notice = finding('notice');

/** What was seen of a server. */
export interface SeenServer {
  facts: ServerFacts;
  results: readonly ProbeResult[];
}

/** What an operator should know of this server and its settings. */
export function serverFindings({ facts, results }: SeenServer, settings: DurabilitySettings): Finding[] {
  const { aofEnabled, fsyncPolicy, snapshotSchedule, evictionPolicy, usedMemory, maxMemory } = facts;
  const { connectedClients, maxClients, connectedReplicas } = facts;
  const { required, replicas } = settings;
  const persists = aofEnabled === true || (snapshotSchedule ?? '') !== '';
  // Nothing that is visible keeps the data, and not everything is visible: many managed servers hide one or both.
  const isHidden = !persists && (aofEnabled === null || snapshotSchedule === null);
  const lacks = (name: string): boolean => lacking(results, false).some(({ probe }) => probe.name === name);
  // A level that is confirmed by replicas is above that of the disk.
  const isReplicated = replicas > 0 && !lacks('WAIT');
  const isFsynced = confirmsTruly(facts) && !lacks('WAITAOF');
  return [
    ...warning(
      !isHidden && !persists,
      'PERSISTENCE_OFF',
      'Redis keeps nothing on disk: a restart empties the catalog until a sync has refilled it.',
      'Set "appendonly yes" and "appendfsync always" on the server, or use a plan with persistence.',
    ),
    ...notice(
      aofEnabled === true && fsyncPolicy !== null && fsyncPolicy !== 'always',
      'FSYNC_EVERYSEC',
      'Redis does not sync every write to disk: a crash can lose the last seconds of the catalog, which a sync restores.',
      'Set "appendfsync always" on the server.',
    ),
    ...warning(
      aofEnabled === false && persists,
      'SNAPSHOTS_ONLY',
      'Redis only takes snapshots: a crash loses everything since the last one.',
      'Set "appendonly yes" and "appendfsync always" on the server.',
    ),
    ...warning(
      evictionPolicy !== null && evictionPolicy !== 'noeviction',
      'EVICTION_POLICY',
      'Redis may throw away records and jobs when its memory is full.',
      'Set "maxmemory-policy noeviction" on the server.',
    ),
    ...warning(
      usedMemory !== null && maxMemory !== null && maxMemory > 0 && usedMemory > 0.9 * maxMemory,
      'MEMORY_NEARLY_FULL',
      'Redis has used more than 90 % of its memory limit; beyond it uploads are refused.',
      'Raise "maxmemory", or move to a larger plan.',
    ),
    ...warning(
      connectedClients !== null && maxClients !== null && connectedClients >= maxClients,
      'REDIS_CONNECTIONS',
      'Redis has reached its connection limit and refuses further connections, those of workers too.',
      'Allow more connections ("maxclients", or a larger plan), or run fewer processes: docs/scaling.md says how many Holdfast needs.',
    ),
    ...warning(
      connectedReplicas !== null && connectedReplicas < replicas,
      'NO_REPLICAS',
      'Redis has fewer replicas than records are expected to reach.',
      'Start the replicas, or lower DURABILITY_REPLICAS.',
    ),
    ...serious(
      !isReplicated && (required === 'replicated' || (required === 'fsynced' && !isFsynced)),
      'DURABILITY_UNREACHABLE',
      'No record can reach the level that DURABILITY_REQUIRED asks for: every file ends as failed.',
      'For replicated set DURABILITY_REPLICAS to 1 or more, on a server that answers WAIT; for fsynced set "appendonly yes" and "appendfsync always" on the server. Otherwise lower DURABILITY_REQUIRED.',
    ),
    ...serious(
      facts.lastAofWriteOk === false,
      'AOF_WRITE_FAILED',
      'The last write to the append-only file failed.',
      'Free space on the disk of the Redis server.',
    ),
    ...warning(
      facts.lastSnapshotOk === false,
      'RDB_SAVE_FAILED',
      'The last snapshot of Redis failed.',
      'Free space on the disk of the Redis server, and look at its log.',
    ),
    ...notice(
      isHidden || (aofEnabled === true && fsyncPolicy === null),
      'UNKNOWN_PERSISTENCE',
      'The server does not reveal whether it keeps its data on disk.',
      'Check in the console of the provider that persistence is on and eviction is off.',
    ),
  ];
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
  // These two serve replicas alone.
  const limits = lacking(results, false).filter(
    ({ probe }) => replicas > 0 || !['ROLE', 'WAIT'].includes(probe.name),
  );
  return [
    ...serious(
      missing.length > 0,
      'REDIS_UNSUITABLE',
      `${serverName(facts)} lacks what Holdfast needs: ${namesOf(missing)}. Jobs wait for another server.`,
      fixesOf(missing),
    ),
    ...serious(
      denied.length > 0,
      'RIGHTS_MISSING',
      `The user of Redis has no right to what Holdfast needs: ${namesOf(denied)}. Uploads wait for it.`,
      'Give the user the rights in docs/operations.md. Everything resumes within two minutes.',
    ),
    ...notice(
      limits.length > 0,
      'REDIS_LIMITED',
      limits.map(({ probe: { name, means } }) => `No ${name}: ${means}`).join(' '),
      fixesOf(limits),
    ),
  ];
}

/** What the server lacks of what is needed, or of what is optional. */
export function lacking(results: readonly ProbeResult[], needed: boolean): ProbeResult[] {
  return results.filter(({ probe, outcome }) => outcome === 'lacking' && probe.needed === needed);
}

const namesOf = (results: readonly ProbeResult[]): string =>
  results.map(({ probe }) => probe.name).join(', ');
const fixesOf = (results: readonly ProbeResult[]): string =>
  [...new Set(results.map(({ probe }) => probe.fix))].join(' ');

/** What the settings alone say about the connection; it stays so until the next start. */
export function connectionFindings({ connection }: Pick<RedisSettings, 'connection'>): Finding[] {
  return warning(
    connection.kind !== 'socket' && connection.tls && connection.verifiesCertificate === false,
    'REDIS_TLS_UNVERIFIED',
    'The certificate of Redis is not verified (REDIS_TLS_VERIFY=false): an attacker on the way could pose as it, and read the password and every record.',
    'Set REDIS_TLS_CA to the CA certificate of the provider, and remove REDIS_TLS_VERIFY. If the provider has none (Heroku), keep the connection within its network.',
  );
}

/**
 * Why a Redis does not serve: for health, and for `doctor`. `why` follows on the server's name. `error`: what the connection met
 * last; undefined where there was only silence.
 */
export function redisOutage(settings: RedisSettings, error: unknown): { why: string; fix: string } {
  const { why, fix } = redisFault(error ?? new Error('Command timed out'));
  return { why, fix: isUnnamed(settings) ? `${fix} No Redis is named: set REDIS_URL.` : fix };
}

/** Never with a login. */
export function placeOf(connection: RedisConnection): string {
  switch (connection.kind) {
    case 'single':
      return `Redis at ${addressOf(connection)}`;
    case 'socket':
      return 'Redis at its socket';
    case 'sentinel':
      return `Redis "${connection.masterName}" of the sentinels ${connection.sentinels.map(addressOf).join(', ')}`;
    case 'cluster':
      return `The Redis Cluster of ${connection.nodes.map(addressOf).join(', ')}`;
  }
}

function addressOf({ host, port }: RedisNode): string {
  return `${host.includes(':') ? `[${host}]` : host}:${String(port)}`;
}
