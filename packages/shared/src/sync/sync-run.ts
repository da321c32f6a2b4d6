import { z } from 'zod';
import type { Severity } from '../durability/index.js';
import { syncModes, syncTriggers } from '../jobs/index.js';
import type { ResourceType } from '../media/index.js';
import { drift, type DriftCounts } from './drift-report.js';

// What is stored of runs and shown to clients: the schemas are part of the OpenAPI document.

const time = z.iso.datetime();
const count = z.int().min(0);

/** What an operator should know about the host or the catalog after a run. Codes are as stable as those of errors. */
const findingTexts = {
  MASS_MISSING: {
    severity: 'warning',
    message: 'So many files are gone from the host at once that none of them was marked missing.',
    fix: 'Check the host. If they are really gone, start a full sync with force=true.',
  },
  HOST_CHANGED: {
    severity: 'warning',
    message:
      'The catalog belongs to another media host than the configured one, so nothing was marked missing.',
    fix: 'Configure that host again, or copy its files, with the same CLOUDINARY_FOLDER: npm run -s holdfast -- move.',
  },
  CONTENT_CHANGED: {
    severity: 'warning',
    message: 'The host has other bytes than those that were uploaded.',
    fix: 'Restore the original on the host, or delete the file here and upload it again.',
  },
  CATALOG_REBUILDING: {
    severity: 'notice',
    message: 'The catalog was empty, so this run fills it from the host.',
    fix: 'Nothing to do. After the first start it should stay filled: if this happens again, find out what empties Redis.',
  },
  SNAPSHOT_RESTORED: {
    severity: 'notice',
    message: 'The catalog was refilled from its snapshot on the host.',
    fix: 'Nothing to do. The sync adds what changed since the snapshot.',
  },
  SNAPSHOT_REFUSED: {
    severity: 'notice',
    message:
      'Snapshots of the catalog were skipped: damaged, of a newer version, or not served by the host in three rounds.',
    fix: 'Nothing to do: an older snapshot, or the listing of the host, refills the catalog.',
  },
  MARK_LOST: {
    severity: 'notice',
    message: 'The host had lost what we keep beside the bytes; it was written again.',
    fix: 'Nothing to do. Leave the context keys that begin with hf alone.',
  },
  UNFINISHED_UPLOAD: {
    severity: 'notice',
    message: 'Uploads that were never acknowledged were removed from the host.',
    fix: 'Nothing to do.',
  },
  UNWELCOME_UPLOAD: {
    severity: 'notice',
    message:
      'Direct uploads that came too late, were too large or of a type that is not accepted were removed from the host.',
    fix: 'Tell your users the limits: UPLOAD_MAX_BYTES, UPLOAD_ALLOWED_TYPES and the lifetime of a ticket.',
  },
  ASSETS_UNREADABLE: {
    severity: 'warning',
    message: 'The host lists assets in a form that cannot be read. Nothing is concluded about them.',
    fix: 'Local host: restore <asset id>.json from a backup, or delete the file. Cloudinary: update Holdfast, or report the log event host.assets_unreadable.',
  },
  LISTING_FIELDS_MISSING: {
    severity: 'warning',
    message:
      'Listings of the host lack fields that were requested. Without etag the bytes on the host are not checked.',
    fix: 'Report it, with the names of the fields. Everything else works.',
  },
  LISTING_SHORT: {
    severity: 'warning',
    message: 'The host listed far fewer assets than the catalog holds, and confirmed the others one by one.',
    fix: 'Start a full sync. If it happens again, compare the listing with what the console of the host shows.',
  },
} as const satisfies Record<string, { severity: Severity; message: string; fix: string }>;
type FindingCode = keyof typeof findingTexts;

const syncFinding = z.object({
  code: z.enum(Object.keys(findingTexts) as FindingCode[]),
  severity: z.enum(['error', 'warning', 'notice']),
  message: z.string(),
  fix: z.string(),
  count: count.describe('How many files it concerns.'),
  ids: z.array(z.string()).describe('The first of them.'),
});

/** Something that went wrong in a run or beside it; the code is one of the catalogue of errors. */
export const syncProblem = z.object({ code: z.string(), message: z.string(), at: time });
export type SyncProblem = z.infer<typeof syncProblem>;

const counts = {
  listed: count,
  created: count,
  updated: count,
  unchanged: count,
  missing: count,
  restored: count,
  removed: count.describe('Assets removed from the host: deleted here earlier, or never acknowledged.'),
  errors: count.describe('Assets that could not be brought in, and failed attempts of the run itself.'),
  hostCalls: count.describe('Metered calls to the host.'),
};
/** What a run has done so far. */
export type SyncCounts = Record<keyof typeof counts, number>;
/** Of a run that has done nothing yet. Copied into each run, and never counted in itself. */
export const noCounts = Object.fromEntries(Object.keys(counts).map((name) => [name, 0])) as SyncCounts;

/** One run as clients see it. */
export const syncRun = z.object({
  runId: z.string(),
  mode: z.enum(syncModes),
  trigger: z.enum(syncTriggers),
  startedAt: time,
  finishedAt: time.nullable().describe('Null while it runs.'),
  durationMs: z.number().nullable(),
  result: z
    .enum(['ok', 'failed', 'partial'])
    .nullable()
    .describe('`partial`: it completed but held a change back. Null while it runs.'),
  ...counts,
  findings: z.array(syncFinding),
  dryRun: z.boolean().describe('True when nothing was to be written; the counts say what would have been.'),
  force: z.boolean(),
  drift: drift.optional().describe('What a finished dry run found different.'),
  lastError: syncProblem.nullable().describe('Why it failed, or what its last attempt met.'),
  expected: z.number().nullable().describe('Approximate number of assets that a full run will list.'),
  waitingUntil: time.nullable().describe('While the host asks to wait.'),
});
export type SyncRun = z.infer<typeof syncRun>;

/** What a run is to note. `added`: how many files, where there are more than ids. */
export type NewFinding = [code: FindingCode, ids: readonly string[], added?: number];

/** Adds the ids to the finding with this code, which a run has at most once. */
export function addFinding({ findings }: Pick<SyncRun, 'findings'>, ...[code, ids, added]: NewFinding): void {
  const at = findings.findIndex((finding) => finding.code === code);
  const before: { count: number; ids: string[] } = findings[at] ?? { count: 0, ids: [] };
  const fresh = ids.filter((id) => !before.ids.includes(id));
  findings[at < 0 ? findings.length : at] = {
    code,
    ...findingTexts[code],
    count: before.count + (added ?? fresh.length),
    ids: [...before.ids, ...fresh].slice(0, IDS_SHOWN),
  };
}

const IDS_SHOWN = 20;

/** Where a run stands. Written after each page, so that any worker can go on at the next one. */
export interface RunProgress {
  /** Cursor of the next page; null at the start of a listing. */
  cursor: string | null;
  /** Full runs: the type being listed, or that all are listed and the sweep is on. Incremental runs: null. */
  resourceType: ResourceType | null;
  sweeping: boolean;
  /** Recoveries: the snapshot has not been looked at yet. */
  restoring?: boolean;
  /** Recoveries: changes since then come before the whole listing, so that what is newer than the snapshot is back soon. ISO 8601. */
  catchUpSince?: string | null;
  /** Incremental runs: changes since then are asked for. ISO 8601. */
  since: string | null;
  /** When it began, by the host's clock, once that is known. ISO 8601. */
  beganOnHost?: string;
  /** Records numbered above this came after the run began, so their absence from its pages means nothing. */
  lastSequence: number;
  /** How many items of each kind the drift report of this run has. */
  drift?: DriftCounts;
}

/** The run under way, as it rests in Redis. */
export interface RunningRun {
  run: SyncRun;
  progress: RunProgress;
}
