import { createHash } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { CloudinarySettings, Settings } from '@holdfast/shared/config';
import type { Logger } from '@holdfast/shared/logging';
import {
  doctorPrefix,
  doctorRunOf,
  readHostMetadata,
  writeHostMetadata,
  type HostMetadata,
} from '@holdfast/shared/media';
import {
  openAccount,
  type AccountOptions,
  type AssetRef,
  type CloudinaryAccount,
  type HostAsset,
} from '@holdfast/shared/media-host';
import { NotRun } from './probe.js';

/** Cloudinary grants 500 an hour on its free plan, and the running deployment needs them. */
export const MAX_ADMIN_CALLS = 20;
/** What is younger may belong to a doctor that runs beside this one. */
const LEFT_AFTER_MS = 10 * 60_000;
/** Above Cloudinary's least size of a part, 5 MiB. */
const PART_BYTES = 5 * 1024 * 1024 + 1_024;
/** Who uploaded it; no API key can have this name. */
const UPLOADED_BY = 'holdfast doctor';
/** Under which the Media Library shows the test files. */
export const DISPLAY_NAME = UPLOADED_BY;
const FILE_TEXT = 'A test file of holdfast doctor.';

/** What the probes of a Cloudinary account share. */
export interface AccountTrial {
  readonly runId: string;
  readonly settings: Settings;
  readonly cloud: CloudinarySettings;
  readonly account: CloudinaryAccount;
  readonly signal: AbortSignal;
  readonly adminCalls: () => number;
  /** How long the search is asked again for what it does not show yet. */
  readonly patienceMs: number;
  /** Answers that take longer are slow. */
  readonly slowMs: number;
  /** Whether the search shows the image. */
  isFound: boolean;
  readonly names: Record<'image' | 'pdf' | 'parts' | 'renamed', AssetRef> & { file: string };
  /** Everything that this run may have put on the host. */
  readonly made: AssetRef[];
  madeFile: boolean;
  /** Of the account, where it says so. */
  folderMode: string | null;
  /** The image as the host has it, once it is uploaded. */
  image: HostAsset | null;
  imageStoredAt: number;
  /** The answer to its upload. */
  uploadReply: Record<string, unknown> | null;
  /** Kinds of answers that show its tags in another order than they were sent in. */
  readonly tagsReordered: Set<string>;
}

export interface TrialOptions {
  settings: Settings;
  cloud: CloudinarySettings;
  runId: string;
  log: Logger;
  signal: AbortSignal;
  patienceMs: number;
  slowMs: number;
  timeouts?: AccountOptions['timeouts'];
}

/** Opens the account under the cap of metered calls. */
export function openTrial(options: TrialOptions): AccountTrial {
  const { settings, cloud, runId, log, signal, patienceMs, slowMs, timeouts } = options;
  let adminCalls = 0;
  const prefix = doctorPrefix(cloud.folder);
  const account = openAccount(cloud, {
    log,
    prefix,
    partBytes: PART_BYTES,
    beforeMetered: () => {
      if (adminCalls >= MAX_ADMIN_CALLS)
        throw new NotRun(`the ${String(MAX_ADMIN_CALLS)} Admin calls that the doctor may make are used up`);
      adminCalls += 1;
    },
    ...(timeouts === undefined ? {} : { timeouts }),
  });
  const name = (what: string): string => `${prefix}${runId}-${what}`;
  return {
    runId,
    settings,
    cloud,
    account,
    signal,
    patienceMs,
    slowMs,
    isFound: false,
    adminCalls: () => adminCalls,
    names: {
      image: { publicId: name('image'), resourceType: 'image' },
      pdf: { publicId: name('pdf'), resourceType: 'image' },
      parts: { publicId: name('parts.bin'), resourceType: 'raw' },
      renamed: { publicId: name('renamed'), resourceType: 'image' },
      file: name('file.txt'),
    },
    made: [],
    madeFile: false,
    folderMode: null,
    image: null,
    imageStoredAt: 0,
    uploadReply: null,
    tagsReordered: new Set(),
  };
}

export const PART_FILE_BYTES = PART_BYTES + 1_000;
export const fileBody = Buffer.from(FILE_TEXT);

/**
 * An upload that was never acknowledged: syncs of this deployment and of others on the same cloud do not adopt it. The mark
 * also tells the next doctor whose it is.
 */
export function doctorMark(
  runId: string,
  body: Buffer,
  extra: { context?: Readonly<Record<string, string>>; tags?: readonly string[]; category?: string } = {},
): HostMetadata {
  const at = new Date().toISOString();
  const written = writeHostMetadata({
    mark: { state: 'started', deadlineSeconds: LEFT_AFTER_MS / 1_000 },
    fields: {
      id: runId,
      revision: 1,
      filename: 'doctor',
      title: DISPLAY_NAME,
      description: '',
      category: extra.category ?? '',
      tags: [...(extra.tags ?? [])],
      uploadedBy: UPLOADED_BY,
      source: 'upload',
      createdAt: at,
      updatedAt: at,
      sha256: createHash('sha256').update(body).digest('hex'),
      md5: md5Of(body),
    },
  });
  return { ...written, context: { ...written.context, ...extra.context } };
}

export function md5Of(body: Buffer): string {
  return createHash('md5').update(body).digest('hex');
}

/** Whether a doctor put it there: its name and its mark must say the same. */
export function isDoctors(folder: string, asset: HostAsset): boolean {
  const runId = doctorRunOf(folder, asset.publicId);
  const carried = readHostMetadata(asset);
  return (
    runId !== null &&
    carried?.mark.state === 'started' &&
    carried.fields.id === runId &&
    carried.fields.uploadedBy === UPLOADED_BY
  );
}

/** Whether a doctor that put it there at this time must have ended since. */
export function isLeft(storedAt: string, hostNowMs: number): boolean {
  return Date.parse(storedAt) + LEFT_AFTER_MS < hostNowMs;
}

const TRIES = 3;
const TRY_EVERY_MS = 2_000;

/** Asks again, twice at most, while the answer does not satisfy: listings may lag a little. Each try is a metered call. */
export async function askUntil<T>(
  { signal, patienceMs }: AccountTrial,
  ask: () => Promise<T>,
  satisfies: (answer: T) => boolean,
): Promise<T> {
  for (let left = TRIES - 1; ; left -= 1) {
    const answer = await ask();
    if (left === 0 || satisfies(answer)) return answer;
    await pause(Math.min(TRY_EVERY_MS, patienceMs), undefined, { signal });
  }
}

/** Removes what earlier doctors left; resolves with how many files. Three metered calls. */
export async function removeLeftovers(trial: AccountTrial): Promise<number> {
  const { account, cloud, signal } = trial;
  const hostNowMs = Date.now() + account.aheadMs();
  let removed = 0;
  for (const resourceType of ['image', 'raw'] as const) {
    const { assets } = await account.own.list({ resourceType, cursor: null, limit: 500, signal });
    for (const asset of assets) {
      if (!isDoctors(cloud.folder, asset) || !isLeft(asset.uploadedAt, hostNowMs)) continue;
      if ((await account.host.remove(asset, signal)) === 'removed') removed += 1;
    }
  }
  for (const { name, storedAt } of await account.host.listFiles(doctorPrefix(cloud.folder), signal)) {
    if (doctorRunOf(cloud.folder, name) === null || !isLeft(storedAt, hostNowMs)) continue;
    // Private files carry no context.
    if ((await account.host.readFile(name, signal))?.equals(fileBody) !== true) continue;
    if ((await account.host.removeFile(name, signal)) === 'removed') removed += 1;
  }
  return removed;
}

/** Removes all that this run has made; resolves with the names that could not be removed. Never rejects, also after an interruption. */
export async function removeMade(trial: AccountTrial): Promise<string[]> {
  const { account, cloud, made, madeFile, names } = trial;
  const left: string[] = [];
  const signal = AbortSignal.timeout(60_000);
  for (const ref of made) {
    try {
      await account.host.remove(ref, signal);
      if ((await account.host.find(ref, signal)) !== null) left.push(ref.publicId);
    } catch {
      left.push(ref.publicId);
    }
  }
  if (madeFile) await account.host.removeFile(names.file, signal).catch(() => left.push(names.file));
  // An empty folder would stay behind; the host removes no other.
  if (left.length === 0) await account.removeFolder(`${cloud.folder}/doctor`, signal).catch(() => undefined);
  return left;
}
