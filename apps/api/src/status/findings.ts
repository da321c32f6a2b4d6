import { unreadSettings, type Environment, type Settings } from '@holdfast/foundation/config';
import { withinMs } from '@holdfast/foundation/lifecycle';
import type { Logger } from '@holdfast/foundation/logging';
import {
  connectionFindings,
  ephemeralDiskFindings,
  notice,
  serious,
  warning,
  type Finding,
} from '@holdfast/shared/durability';
import { queueNames } from '@holdfast/shared/jobs';
import type { HostIdentity } from '@holdfast/shared/media';
import { LOCAL_RESERVE_BYTES, type MediaHost } from '@holdfast/shared/media-host';
import { connectionError, redisFault } from '@holdfast/shared/redis';
import type { Dependencies } from '../dependencies.js';
import { someRefused, type RedisLook, type RedisState } from './redis-state.js';

export type FindingSources = Pick<Dependencies, 'connections' | 'startFindings' | 'host' | 'rebuilding'>;

/** Everything that an operator should know now, each code once: what health, database/status and metrics show. */
export async function currentFindings(sources: FindingSources, state: RedisState): Promise<Finding[]> {
  const { connections, startFindings, host } = sources;
  const { look, failure } = state;
  const [ofServer, workers, freeBytes] = await Promise.all([
    state.findings(),
    state.workers(),
    freeBytesOf(host),
  ]);
  // A server may accept some of our connections and refuse others, including one that has not been used yet.
  const faults = connections.map((client) => redisFault(connectionError(client)));
  const refused = faults.find(({ refusal }) => refusal === 'connections');
  const findings = [
    ...(failure === null ? [] : [failure.finding]),
    ...(refused === undefined ? [] : [someRefused(refused)]),
    ...ofServer,
    ...startFindings,
    ...hostFailing(host),
    ...serious(
      freeBytes !== null && freeBytes < LOCAL_RESERVE_BYTES,
      'STORAGE_FULL',
      'The disk of the local host has less than 200 MB or less than 1,000 inodes free: uploads are refused.',
      'Free space below DATA_DIR, or move it to a larger disk.',
    ),
    ...(look === null ? [] : deploymentFindings(look, workers, sources)),
  ];
  return findings.filter(({ code }, index) => findings.findIndex((other) => other.code === code) === index);
}

const PATIENCE_MS = 600;

/** Null where it is not known. */
export function freeBytesOf(host: Pick<MediaHost, 'freeBytes'>): Promise<number | null> {
  return withinMs(PATIENCE_MS, host.freeBytes(), null).catch(() => null);
}

function hostFailing(host: Pick<MediaHost, 'health'>): Finding[] {
  const { failing, lastErrorCode } = host.health();
  const refusesCredentials = failing?.refusesCredentials === true;
  const what = refusesCredentials ? 'has refused our credentials' : 'has been failing';
  return warning(
    failing !== null,
    'HOST_FAILING',
    `The media host ${what} since ${failing?.since ?? ''} (${lastErrorCode ?? ''}: ${failing?.message ?? ''}).`,
    refusesCredentials
      ? 'Compare CLOUDINARY_URL with the API keys in the console of Cloudinary, and restart with the right ones. A key that is enabled again is noticed within 15 seconds.'
      : 'Look at the network, the status page of the host, or the disk of DATA_DIR. Holdfast notices within 15 seconds that Cloudinary is back, and resumes.',
  );
}

/** Of connection, disk and settings: they stay until the next start. Logged once; `openServer` logs that of the connection. */
export async function findingsOfStart(settings: Settings, env: Environment, log: Logger): Promise<Finding[]> {
  const ofDisk = await ephemeralDiskFindings(settings, env);
  for (const finding of ofDisk) log.warn('disk.finding', { finding });
  const unread = unreadSettings(env);
  for (const setting of unread) log.warn('config.unread_setting', { setting });
  const names = unread.map(({ name, meant }) => `${name} (${meant}?)`).join(', ');
  return [
    ...connectionFindings(settings.redis),
    ...ofDisk,
    ...notice(
      unread.length > 0,
      'UNREAD_SETTING',
      `These variables are not read, and the settings that were probably meant are not set: ${names}.`,
      'Rename them, or remove them. Then start again.',
    ),
  ];
}

/** More bad signatures within an hour than a single stray request explains. */
export const BAD_SIGNATURES = 10;
const HOUR_MS = 3_600_000;

/** What Redis shows of the whole deployment. */
function deploymentFindings(
  look: RedisLook,
  workers: number | null,
  { host, rebuilding }: FindingSources,
): Finding[] {
  const paused = queueNames.filter((name) => look.queues[name].paused);
  const badSignatures = look.refusedSignatures.filter((at) => at > Date.now() - HOUR_MS);
  // The local host delivers by itself, and sends no notifications.
  const isCloudinary = host.kind !== 'local';
  return [
    ...hostChanged(look, host.identity),
    ...warning(
      workers === 0,
      'NO_WORKER',
      'No worker is alive: uploads are accepted and kept, but not verified until one starts.',
      'Start a worker (node apps/worker/dist/main.js) with the same settings.',
    ),
    ...warning(
      paused.length > 0,
      'QUEUE_PAUSED',
      `Paused: ${paused.join(', ')}. Jobs wait there until they are resumed.`,
      'Resume in Bull Board (/admin/queues), for each of these queues.',
    ),
    ...syncWaits(look, host),
    ...notice(
      // No run has begun to refill it yet, and readers are told already.
      look.epoch === null && rebuilding.knownEpoch() !== null,
      'CATALOG_REBUILDING',
      'Redis was emptied: the catalog is refilled from the host.',
      'Find out what empties Redis.',
    ),
    ...syncFindings(look.sync),
    ...deliveryBlocked(isCloudinary ? look.blockedDelivery : []),
    ...notice(
      isCloudinary && badSignatures.length >= BAD_SIGNATURES,
      'WEBHOOK_SIGNATURES',
      `At least ${String(BAD_SIGNATURES)} notifications within an hour were signed with an unknown secret. Changes in Cloudinary arrive only with the next sync.`,
      'Cloudinary signs with the notification key of the account, else with its oldest active API key (console: Settings > API Keys). Put the secret of that key into CLOUDINARY_WEBHOOK_SECRETS and restart the API.',
    ),
  ];
}

function syncWaits({ sync }: RedisLook, host: Pick<MediaHost, 'health'>): Finding[] {
  const { waitingUntil = null, lastError = null } = sync.running?.run ?? {};
  const { lastFailureAt, lastSuccessAt } = host.health();
  // This API, too, has met a failure since, and after it an answer: the run only waits for its next try.
  const isBack =
    lastFailureAt !== null &&
    lastFailureAt >= (lastError?.at ?? '') &&
    lastSuccessAt !== null &&
    lastSuccessAt > lastFailureAt;
  return warning(
    // A run that the host asked to wait resumes by itself.
    waitingUntil !== null && !isBack && ['HOST_REJECTED', 'HOST_TIMEOUT'].includes(lastError?.code ?? ''),
    'SYNC_WAITS',
    `A sync waits for the media host: ${lastError?.message ?? ''}`,
    'Look at the host and at its credentials. The sync resumes by itself.',
  );
}

/** Health is open to everyone, so no cloud is named. */
function hostChanged({ catalogHost: host }: RedisLook, identity: HostIdentity): Finding[] {
  const isLocal = host === 'local';
  const name = isLocal ? 'the local host' : `${identity === 'local' ? 'a' : 'another'} Cloudinary account`;
  return warning(
    host !== null && host !== identity,
    'HOST_CHANGED',
    `The catalog belongs to ${name}, which is not the configured media host: earlier files are only there.`,
    isLocal
      ? 'Go back (unset CLOUDINARY_URL), or copy the files, with the same CLOUDINARY_FOLDER: npm run -s holdfast -- move --from local'
      : 'Go back (configure that account), or copy the files, with the same CLOUDINARY_FOLDER: npm run -s holdfast -- move --from cloudinary',
  );
}

const SWITCH = 'Console: Settings > Security: switch on "Allow delivery of PDF and ZIP files".';
const OTHERS = 'Console: Settings > Security: look at "Restricted media types" and at access control.';
const isSwitched = (kind: string): boolean => kind === 'pdf' || kind === 'zip';

/** Once for all kinds of files that the workers were refused (delivery-check.ts). PDF and ZIP have a switch, off in new accounts. */
function deliveryBlocked(blocked: RedisLook['blockedDelivery']): Finding[] {
  const kinds = blocked.map(([kind]) => kind);
  const names = blocked.map(([kind, answer]) => {
    const { status } = JSON.parse(answer) as { status: number };
    return `${kind} (${String(status)})`;
  });
  // A raw file may be a ZIP whose name does not say so.
  const fixes = [
    ...(kinds.some((kind) => isSwitched(kind) || kind === 'raw') ? [SWITCH] : []),
    ...(kinds.every(isSwitched) ? [] : [OTHERS]),
  ];
  return warning(
    kinds.length > 0,
    'DELIVERY_BLOCKED',
    `The host refuses to deliver files that it stores for us: ${names.toSorted().join(', ')}. Nobody can open their addresses; nothing is lost.`,
    fixes.join(' '),
  );
}

/**
 * What the newest run says. What a full run found stands until the next full one (the shorter ones in between do not look at
 * everything), except the notes that it refills the catalog, which is true while it runs, and that the host is another one, which
 * is looked up.
 */
function syncFindings({ running, lastRun, lastFullRun }: RedisLook['sync']): Finding[] {
  const ended = [...(lastRun?.findings ?? []), ...(lastFullRun?.findings ?? [])];
  const lasting = ended.filter(({ code }) => code !== 'CATALOG_REBUILDING' && code !== 'HOST_CHANGED');
  const all = [...(running?.run.findings ?? []), ...lasting];
  return all.map(({ code, severity, message, fix }) => ({ code, severity, message, fix }));
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
  const told = findings.filter(({ code, severity }) => code !== 'EPHEMERAL_DISK' || severity !== 'notice');
  const found = aboutPersistence.flatMap((code) => told.find((finding) => finding.code === code) ?? []);
  return found[0]?.message ?? '';
}
