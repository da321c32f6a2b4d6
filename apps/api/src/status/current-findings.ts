import type { UnreadSetting } from '@holdfast/foundation/config';
import type { Finding } from '@holdfast/shared/durability';
import { withinMs } from '@holdfast/foundation/lifecycle';
import { LOCAL_RESERVE_BYTES, type MediaHost } from '@holdfast/shared/media-host';
import { connectionError, redisRefusal, type RedisClient } from '@holdfast/shared/redis';
import type { RefusedSignatures } from '../webhooks/refused-signatures.js';
import { deploymentFindings, eachOnce } from './deployment-findings.js';
import { someRefused } from './redis-failure.js';
import type { FactSources, RedisFacts } from './redis-look.js';

export interface FindingSources extends FactSources {
  /** All of this process that say why they are not there. */
  connections: readonly RedisClient[];
  /** What was found at the start and stays so until the next one: of the disk and of the settings. */
  startFindings: readonly Finding[];
  refusedSignatures: Pick<RefusedSignatures, 'finding'>;
  host: Pick<MediaHost, 'kind' | 'identity' | 'freeBytes' | 'health'>;
}

const PATIENCE_MS = 600;

const storageFull: Finding = {
  code: 'STORAGE_FULL',
  severity: 'error',
  message:
    'The disk of the local host has less than 200 MB or less than 1,000 inodes free: uploads are refused.',
  fix: 'Free space below DATA_DIR, or move it to a larger disk.',
};

/** Everything that an operator should know now: of the Redis server, the disk, the settings, the workers, the queues and the last sync. */
export async function currentFindings(
  { startFindings, refusedSignatures, host, connections }: FindingSources,
  { look, workers, server }: RedisFacts,
): Promise<Finding[]> {
  const freeBytes = await withinMs(PATIENCE_MS, host.freeBytes(), null).catch(() => null);
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
    ...deploymentFindings(look, workers, { isLocal: host.kind === 'local', identity: host.identity }),
    ...(signatures === null ? [] : [signatures]),
  ]);
}

/** A server may accept some of our connections and refuse others, including one that has not been used yet. */
function refusedConnections(connections: readonly RedisClient[]): Finding[] {
  const isRefused = connections.some((client) => redisRefusal(connectionError(client)) === 'connections');
  return isRefused ? [someRefused] : [];
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

/** That the host does not answer this process, or refuses its credentials: at most one finding. */
export function hostFindings(host: Pick<MediaHost, 'health'>): Finding[] {
  const { failing, lastErrorCode } = host.health();
  if (failing === null) return [];
  const { since, message, refusesCredentials } = failing;
  const what = refusesCredentials ? 'has refused our credentials' : 'has not answered as it should';
  return [
    {
      code: 'HOST_FAILING',
      severity: 'warning',
      message: `The media host ${what} since ${since} (${lastErrorCode ?? ''}: ${message}).`,
      fix: refusesCredentials
        ? 'Compare CLOUDINARY_URL with the API keys in the console of Cloudinary, and restart with the right ones. A key that is enabled again is noticed within 15 seconds.'
        : 'Look at the network, the status page of the host, or the disk of DATA_DIR. Holdfast notices within 15 seconds that Cloudinary is back, and goes on by itself.',
    },
  ];
}

/** UNREAD_SETTING, once for all variables that look like a setting under a wrong name. */
export function unreadSettingFindings(unread: readonly UnreadSetting[]): Finding[] {
  if (unread.length === 0) return [];
  const names = unread.map(({ name, meant }) => `${name} (${meant}?)`).join(', ');
  return [
    {
      code: 'UNREAD_SETTING',
      severity: 'notice',
      message: `Nobody reads these variables, and what was probably meant is not set: ${names}.`,
      fix: 'Rename them, or remove them. Then start again.',
    },
  ];
}
