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
  type HostAsset,
  type MediaHost,
  openAccount,
} from '@holdfast/shared/media-host';
import { NotRun } from './check.js';

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
export const fileBody = Buffer.from('A test file of holdfast doctor.');
export const partsBody = Buffer.alloc(PART_BYTES + 1_000, 'holdfast doctor ');

export interface TrialOptions {
  settings: Settings;
  cloud: CloudinarySettings;
  runId: string;
  log: Logger;
  signal: AbortSignal;
  /** How long the search is asked again for what it does not show yet. */
  patienceMs: number;
  /** Answers that take longer are slow. */
  slowMs: number;
  timeouts?: AccountOptions['timeouts'];
}

/** What the checks of a Cloudinary account share: the account, under the cap of metered calls, and what they found and made. */
export function openTrial(options: Readonly<TrialOptions>) {
  const { cloud, runId, log, timeouts } = options;
  const prefix = doctorPrefix(cloud.folder);
  let adminCalls = 0;
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
  const named = (what: string, resourceType: AssetRef['resourceType']): AssetRef => ({
    publicId: `${prefix}${runId}-${what}`,
    resourceType,
  });
  return {
    ...options,
    account,
    adminCalls: () => adminCalls,
    names: {
      image: named('image', 'image'),
      pdf: named('pdf', 'image'),
      parts: named('parts.bin', 'raw'),
      renamed: named('renamed', 'image'),
      file: `${prefix}${runId}-file.txt`,
    },
    /** Everything that this run may have put on the host; `madeFile`: and the private file. */
    made: [] as AssetRef[],
    madeFile: false,
    /** Of the account, where it says so. */
    folderMode: null as string | null,
    /** The image as the host has it, once it is uploaded. */
    image: null as HostAsset | null,
    imageStoredAt: 0,
    /** The answer to its upload. */
    uploadReply: {} as Record<string, unknown>,
    /** Whether the search shows the image. */
    isFound: false,
  };
}

export type AccountTrial = ReturnType<typeof openTrial>;

/** The image, or the check has no chance. */
export function theImage({ image }: AccountTrial): HostAsset {
  if (image === null) throw new NotRun('the test file is not in place');
  return image;
}

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

/** Whether a doctor that put something there at this time must have ended since. */
function isLeft(storedAt: string, hostNowMs: number): boolean {
  return Date.parse(storedAt) + LEFT_AFTER_MS < hostNowMs;
}

/** Removes what an ended doctor put there: its name and its mark must say the same. Resolves with how many that were. */
export async function removeLeft(
  assets: readonly HostAsset[],
  host: Pick<MediaHost, 'remove'>,
  { folder, hostNowMs, signal }: { folder: string; hostNowMs: number; signal: AbortSignal },
): Promise<number> {
  let removed = 0;
  for (const asset of assets) {
    const runId = doctorRunOf(folder, asset.publicId);
    const carried = readHostMetadata(asset);
    const isDoctors =
      runId !== null &&
      carried?.mark.state === 'started' &&
      carried.fields.id === runId &&
      carried.fields.uploadedBy === UPLOADED_BY;
    if (!isDoctors || !isLeft(asset.uploadedAt, hostNowMs)) continue;
    removed += Number((await host.remove(asset, signal)) === 'removed');
  }
  return removed;
}

/** Removes what earlier doctors left on the account; resolves with how many files. Three metered calls. */
export async function removeLeftovers({ account, cloud, signal }: AccountTrial): Promise<number> {
  const { folder } = cloud;
  const hostNowMs = Date.now() + account.aheadMs();
  let removed = 0;
  for (const resourceType of ['image', 'raw'] as const) {
    const { assets } = await account.own.list({ resourceType, cursor: null, limit: 500, signal });
    removed += await removeLeft(assets, account.host, { folder, hostNowMs, signal });
  }
  for (const { name, storedAt } of await account.host.listFiles(doctorPrefix(folder), signal)) {
    if (doctorRunOf(folder, name) === null || !isLeft(storedAt, hostNowMs)) continue;
    // Private files carry no context.
    if ((await account.host.readFile(name, signal))?.equals(fileBody) !== true) continue;
    removed += Number((await account.host.removeFile(name, signal)) === 'removed');
  }
  return removed;
}

/** Removes all that this run has made; resolves with the names that could not be removed. Never rejects, also after an interruption. */
export async function removeMade({ account, cloud, made, madeFile, names }: AccountTrial): Promise<string[]> {
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

/** Two pictures of one pixel, and a page of nothing. */
export const redPng = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGM4IScHAAK2AQU0pnWqAAAAAElFTkSuQmCC',
  'base64',
);
export const bluePng = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGOQkzsBAAFiAQURG6MhAAAAAElFTkSuQmCC',
  'base64',
);
/** The numbers at its end are places in it. */
export const emptyPdf = Buffer.from(`%PDF-1.4
1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj
2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj
3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 72 72]>>endobj
xref
0 4
0000000000 65535 f${' '}
0000000009 00000 n${' '}
0000000052 00000 n${' '}
0000000101 00000 n${' '}
trailer<</Size 4/Root 1 0 R>>
startxref
162
%%EOF
`);
