import { createHash } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { CloudinarySettings, Settings } from '@holdfast/foundation/config';
import type { Logger } from '@holdfast/foundation/logging';
import {
  doctorPrefix,
  doctorRunOf,
  type HostMetadata,
  readHostMetadata,
  writeHostMetadata,
} from '@holdfast/shared/media';
import {
  type AccountOptions,
  type AssetRef,
  type CloudinaryAccount,
  type HostAsset,
  openAccount,
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
 * also shows the next doctor whose it is.
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

/** An object of an answer; an empty one where there is none. */
export function asRecord(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

/** The items of a page. */
export function itemsOf(reply: unknown): Record<string, unknown>[] {
  const { resources } = asRecord(reply);
  return Array.isArray(resources) ? resources.map(asRecord) : [];
}

/** How an answer shows the context of an asset. */
export function contextShape(item: Record<string, unknown>): 'nested' | 'flat pairs' | 'a list' | 'nothing' {
  const { context } = item;
  if (Array.isArray(context)) return 'a list';
  if (typeof context !== 'object' || context === null) return 'nothing';
  const { custom } = asRecord(context);
  if (Array.isArray(custom)) return 'a list';
  return typeof custom === 'object' && custom !== null ? 'nested' : 'flat pairs';
}

/** The pairs, whatever their shape. */
export function contextOf(item: Record<string, unknown>): Record<string, unknown> {
  const { context } = item;
  const pairs = asRecord(context)['custom'] ?? context;
  if (!Array.isArray(pairs)) return asRecord(pairs);
  return Object.fromEntries(pairs.map(asRecord).map(({ key, value }) => [String(key), value]));
}

export function tagsOf(item: Record<string, unknown>): string[] {
  const { tags } = item;
  return Array.isArray(tags) ? tags.map(String) : [];
}

/** Two pictures of one pixel, and a page of nothing. */
export const redPng = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGM4IScHAAK2AQU0pnWqAAAAAElFTkSuQmCC',
  'base64',
);
export const bluePng = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGOQkzsBAAFiAQURG6MhAAAAAElFTkSuQmCC',
  'base64',
);
export const emptyPdf = pdf([
  '<</Type/Catalog/Pages 2 0 R>>',
  '<</Type/Pages/Kids[3 0 R]/Count 1>>',
  '<</Type/Page/Parent 2 0 R/MediaBox[0 0 72 72]>>',
]);

function pdf(objects: readonly string[]): Buffer {
  let text = '%PDF-1.4\n';
  const offsets = objects.map((object, index) => {
    const offset = text.length;
    text += `${String(index + 1)} 0 obj${object}endobj\n`;
    return offset;
  });
  const entries = offsets.map((offset) => `${String(offset).padStart(10, '0')} 00000 n \n`).join('');
  const size = String(objects.length + 1);
  return Buffer.from(
    `${text}xref\n0 ${size}\n0000000000 65535 f \n${entries}trailer<</Size ${size}/Root 1 0 R>>\nstartxref\n${String(text.length)}\n%%EOF\n`,
  );
}
