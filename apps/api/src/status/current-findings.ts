import type { Finding } from '@holdfast/shared/durability';
import type { HostIdentity } from '@holdfast/shared/media';
import type { SyncStatus } from '@holdfast/shared/sync';
import { withinMs } from '@holdfast/shared/lifecycle';
import { LOCAL_RESERVE_BYTES, type MediaHost } from '@holdfast/shared/media-host';
import { connectionError, redisRefusal, type RedisClient } from '@holdfast/shared/redis';
import type { WorkerCount, WorkerSources } from './count-workers.js';
import { deliveryFindings } from './delivery-findings.js';
import { hostFindings } from './host-status.js';
import { queueFindings } from './queue-findings.js';
import { someRefused } from './redis-failure.js';
import type { LookKeys, RedisLook } from './redis-look.js';
import type { RefusedSignatures } from '../webhooks/refused-signatures.js';
import type { ServerWatch } from './server-watch.js';

export interface FindingSources extends WorkerSources {
  /** All of this process that say why they are not there. */
  connections: readonly RedisClient[];
  serverWatch: Pick<ServerWatch, 'current'>;
  workerCount: WorkerCount;
  /** What was found at the start and stays so until the next one: of the disk and of the settings. */
  startFindings: readonly Finding[];
  keys: LookKeys;
  refusedSignatures: Pick<RefusedSignatures, 'finding'>;
  host: Pick<MediaHost, 'kind' | 'identity' | 'freeBytes' | 'health'>;
}

const PATIENCE_MS = 600;

const noWorker: Finding = {
  code: 'NO_WORKER',
  severity: 'warning',
  message: 'No worker is alive: uploads are accepted and kept, but not verified until one is.',
  fix: 'Start a worker (node apps/worker/dist/main.js) with the same settings.',
};

const storageFull: Finding = {
  code: 'STORAGE_FULL',
  severity: 'error',
  message:
    'The disk of the local host has less than 200 MB or less than 1,000 inodes free: uploads are refused.',
  fix: 'Free space below DATA_DIR, or move it to a larger disk.',
};

/** What Redis shows, itself and of the deployment. Unlike what this process knows of its host and its disk, it may be shared for a while. */
export interface RedisFacts {
  /** Null where Redis does not serve. */
  look: RedisLook | null;
  workers: number | null;
  server: readonly Finding[];
}

/** What else is asked, `look` being what was read a moment ago. */
export async function redisFacts(
  { serverWatch, workerCount }: Pick<FindingSources, 'serverWatch' | 'workerCount'>,
  look: RedisLook | null,
): Promise<RedisFacts> {
  const [{ findings: server }, workers] = await Promise.all([
    serverWatch.current(),
    look === null ? null : asked(workerCount.count(look.announcedUntil)),
  ]);
  return { look, workers, server };
}

const asked = <T>(work: Promise<T>): Promise<T | null> => withinMs(PATIENCE_MS, work, null).catch(() => null);

/** Everything that an operator should know now: of the Redis server, the disk, the settings, the workers, the queues and the last sync. */
export async function currentFindings(
  { startFindings, refusedSignatures, host, connections }: FindingSources,
  { look, workers, server }: RedisFacts,
): Promise<Finding[]> {
  const freeBytes = await asked(host.freeBytes());
  const ofProcess = [
    ...refusedConnections(connections),
    ...server,
    ...startFindings,
    ...hostFindings(host),
    ...(freeBytes !== null && freeBytes < LOCAL_RESERVE_BYTES ? [storageFull] : []),
  ];
  if (look === null) return eachOnce(ofProcess);
  // The local host sends no notifications.
  const signatures = host.kind === 'local' ? null : refusedSignatures.finding(look.refusedSignatures);
  return eachOnce([
    ...ofProcess,
    ...hostChanged(look, host.identity),
    ...(workers === 0 ? [noWorker] : []),
    ...queueFindings(look, workers),
    ...waitingFor(look.sync),
    ...syncFindings(look.sync),
    ...(signatures === null ? [] : [signatures]),
    ...(host.kind === 'local' ? [] : deliveryFindings(look.blockedDelivery)),
  ]);
}

/** A server may accept some of our connections and refuse others, including one that has not been used yet. */
function refusedConnections(connections: readonly RedisClient[]): Finding[] {
  const isRefused = connections.some((client) => redisRefusal(connectionError(client)) === 'connections');
  return isRefused ? [someRefused] : [];
}

/** Each code as it is said first. */
export function eachOnce(findings: readonly Finding[]): Finding[] {
  return findings.filter(({ code }, index) => findings.findIndex((other) => other.code === code) === index);
}

/** Whoever may see health sees this: no cloud is named. */
function hostChanged(
  { catalogHost: host, otherHost: other }: Pick<RedisLook, 'catalogHost' | 'otherHost'>,
  identity: HostIdentity,
): Finding[] {
  const isChanged = host !== null && host !== identity;
  if (!isChanged && (other === null || other === identity)) return [];
  const name = (named: string | null): string =>
    named === 'local' ? 'the local host' : `${identity === 'local' ? 'a' : 'another'} Cloudinary account`;
  return [
    {
      code: 'HOST_CHANGED',
      severity: 'warning',
      message: isChanged
        ? `The catalog belongs to ${name(host)}, which is not the configured media host: earlier files are only there.`
        : 'A worker uses another media host than this API and the catalog.',
      fix: !isChanged
        ? 'Give all processes the same settings of the media host, and restart them.'
        : host === 'local'
          ? 'Go back (unset CLOUDINARY_URL), or copy the files: npm run -s holdfast -- move --from local'
          : 'Go back (configure that account), or copy the files: npm run -s holdfast -- move --from cloudinary',
    },
  ];
}

const ofHost: ReadonlySet<string> = new Set(['HOST_REJECTED', 'HOST_TIMEOUT']);

/** A run that cannot go on since the host refuses or does not answer; one that was asked to wait does so by itself. */
function waitingFor({ running }: SyncStatus): Finding[] {
  const { waitingUntil = null, lastError = null } = running ?? {};
  if (waitingUntil === null || lastError === null || !ofHost.has(lastError.code)) return [];
  return [
    {
      code: 'SYNC_WAITS',
      severity: 'warning',
      message: `A sync waits for the media host: ${lastError.message}`,
      fix: 'Look at the host and at its credentials. The sync goes on by itself.',
    },
  ];
}

/**
 * Each code once, as the newest run that has it says it. What a full run found stands until the next full one (the shorter
 * ones in between do not look at everything), but for the notes that it refills the catalog, which is true while it runs, and
 * that the host is another one, which is looked up.
 */
function syncFindings({ running, lastRun, lastFullRun }: SyncStatus): Finding[] {
  const all = [
    ...(running?.findings ?? []),
    ...[...(lastRun?.findings ?? []), ...(lastFullRun?.findings ?? [])].filter(
      ({ code }) => code !== 'CATALOG_REBUILDING' && code !== 'HOST_CHANGED',
    ),
  ];
  return eachOnce(all).map(({ code, severity, message, fix }) => ({ code, severity, message, fix }));
}

/** Codes that say something about what survives, the most urgent first. */
const aboutPersistence = [
  'AOF_WRITE_FAILED',
  'PERSISTENCE_OFF',
  'SNAPSHOTS_ONLY',
  'EPHEMERAL_DISK',
  'EVICTION_POLICY',
  'RDB_SAVE_FAILED',
  'FSYNC_EVERYSEC',
  'UNKNOWN_PERSISTENCE',
];

/** One sentence, empty when records survive what they should. A container's own disk is a notice, not a warning. */
export function persistenceWarning(findings: readonly Finding[]): string {
  const serious = findings.filter(({ code, severity }) => code !== 'EPHEMERAL_DISK' || severity !== 'notice');
  for (const code of aboutPersistence) {
    const found = serious.find((finding) => finding.code === code);
    if (found !== undefined) return found.message;
  }
  return '';
}
