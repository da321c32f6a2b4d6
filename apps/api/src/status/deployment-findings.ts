import type { Finding } from '@holdfast/shared/durability';
import { queueNames } from '@holdfast/shared/jobs';
import type { HostIdentity } from '@holdfast/shared/media';
import type { SyncStatus } from '@holdfast/shared/sync';
import type { RedisLook } from './redis-look.js';

/** What Redis shows of the whole deployment that an operator should know: its hosts, workers, queues, syncs and deliveries. */
export function deploymentFindings(
  look: RedisLook,
  workers: number | null,
  host: { isLocal: boolean; identity: HostIdentity },
): Finding[] {
  return [
    ...hostChanged(look, host.identity),
    ...(workers === 0 ? [noWorker] : []),
    ...queueFindings(look, workers),
    ...waitingFor(look.sync),
    ...syncFindings(look.sync),
    ...(host.isLocal ? [] : deliveryFindings(look.blockedDelivery)),
  ];
}

/** Health is open to everyone, so no cloud is named. */
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

const noWorker: Finding = {
  code: 'NO_WORKER',
  severity: 'warning',
  message: 'No worker is alive: uploads are accepted and kept, but not verified until one is.',
  fix: 'Start a worker (node apps/worker/dist/main.js) with the same settings.',
};

type Queues = Pick<RedisLook, 'queues'>;

/** Queues that an operator has paused. They do not resume by themselves. */
function pausedQueues({ queues }: Queues): Finding[] {
  const names = queueNames.filter((name) => queues[name].paused);
  if (names.length === 0) return [];
  return [
    {
      code: 'QUEUE_PAUSED',
      severity: 'warning',
      message: `Paused: ${names.join(', ')}. Jobs wait there until they are resumed.`,
      fix: 'Resume in Bull Board (/admin/queues), for each of these queues.',
    },
  ];
}

/** Queues that an operator has given a rate limit. It does not end by itself. */
function limitedQueues({ queues }: Queues): Finding[] {
  const limited = queueNames.flatMap((name) => {
    const { limit } = queues[name];
    return limit === null ? [] : [`${name} (${String(limit.max)} jobs in ${String(limit.durationMs)} ms)`];
  });
  if (limited.length === 0) return [];
  return [
    {
      code: 'QUEUE_LIMITED',
      severity: 'warning',
      message: `Limited: ${limited.join(', ')}. Jobs beyond that wait.`,
      fix: 'Remove the rate limit in Bull Board (/admin/queues), for each of these queues, and release what it holds.',
    },
  ];
}

/** A worker needs a minute to notice a lost wake-up, and as long to replace dead connections. */
const TAKEN_WITHIN_MS = 150_000;

const notTaken: Finding = {
  code: 'SYNC_NOT_TAKEN',
  severity: 'warning',
  message: 'A sync should have begun minutes ago, and no worker takes it.',
  fix: 'Resume the queue "sync" in Bull Board where it is paused; else restart the workers, and report what they log.',
};

/**
 * A sync that is due for long while none runs: those of a fleet run one at a time. Only workers end a delay, so where none takes
 * the queue the next run of the schedule, or one after uploads, stays delayed past its time. A job that was handed back is due
 * when its new delay ends, however old it is.
 */
function syncNotTaken({ queues, syncDueAt }: Pick<RedisLook, 'queues' | 'syncDueAt'>): Finding[] {
  const isLate = syncDueAt !== null && syncDueAt < Date.now() - TAKEN_WITHIN_MS;
  return isLate && queues.sync.counts.active === 0 ? [notTaken] : [];
}

/** Without a worker alive, that a sync is not taken is no news. */
function queueFindings(look: RedisLook, workers: number | null): Finding[] {
  return [...(workers === 0 ? [] : syncNotTaken(look)), ...pausedQueues(look), ...limitedQueues(look)];
}

/** Kinds with a switch of their own, which is off in new accounts. */
const switched: ReadonlySet<string> = new Set(['pdf', 'zip']);
const SWITCH = 'Console: Settings > Security: switch on "Allow delivery of PDF and ZIP files".';
const OTHERS = 'Console: Settings > Security: look at "Restricted media types" and at access control.';

/** DELIVERY_BLOCKED, once for all kinds of files that the workers were refused (delivery-check.ts). */
function deliveryFindings(blocked: Readonly<Record<string, string>>): Finding[] {
  const kinds = Object.keys(blocked).toSorted();
  if (kinds.length === 0) return [];
  const named = kinds.map((kind) => `${kind} (${String(statusOf(blocked[kind] ?? '{}'))})`);
  const fixes = new Set(kinds.flatMap(fixesOf));
  return [
    {
      code: 'DELIVERY_BLOCKED',
      severity: 'warning',
      message: `The host refuses to deliver files that it stores for us: ${named.join(', ')}. Nobody can open their addresses; nothing is lost.`,
      fix: [...fixes].join(' '),
    },
  ];
}

/** A raw file may be a ZIP whose name does not say so. */
function fixesOf(kind: string): string[] {
  return [...(switched.has(kind) || kind === 'raw' ? [SWITCH] : []), ...(switched.has(kind) ? [] : [OTHERS])];
}

function statusOf(text: string): number {
  return (JSON.parse(text) as { status: number }).status;
}

/** The first finding of each code. */
export function eachOnce(findings: readonly Finding[]): Finding[] {
  return findings.filter(({ code }, index) => findings.findIndex((other) => other.code === code) === index);
}
