import { setTimeout as pause } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { Settings } from '@holdfast/foundation/config';
import { isHoldfastError } from '@holdfast/foundation/errors';
import { isAllowedType, type HostMetadata } from '@holdfast/shared/media';
import {
  isTransientHostError,
  type AssetRef,
  type HostAsset,
  type MediaHost,
} from '@holdfast/shared/media-host';
import { OVERLAP_MS } from '../sync-run/sync-session.js';
import { note, NotRun, PRESETS, wrong, type Check, type Verdict } from './check.js';
import {
  bluePng,
  emptyPdf,
  fileBody,
  markOf,
  md5Of,
  namesOf,
  partsBody,
  redPng,
  removeTestFiles,
} from './test-files.js';

/** What the checks of a media host share. */
export interface HostTrial {
  host: MediaHost;
  settings: Settings;
  runId: string;
  signal: AbortSignal;
  /** How long listings and the search are asked again for what they do not show yet. */
  patienceMs: number;
  /** What was sent with the test image, and when it was stored. */
  sent: HostMetadata | null;
  storedAt: number;
  /** The test image as the host has it. */
  image: HostAsset | null;
}

const TAGS = ['sea', 'Alps', 'beach'];
/** What `Edit` leaves of them. */
const EDITED_TAGS = ['sea', 'Alps'];
/** Pairs of others, as the Media Library and plugins write them. */
const OTHERS = {
  doctor_signs: 'a=b|c & "d" 100 % é 😀',
  doctor_backslash: String.raw`C:\temp\new`,
};

interface HostCheck extends Check<HostTrial> {
  /** Only an account can refuse this. */
  accountOnly?: true;
}

/** What Holdfast assumes of a media host. The rows share the test image, in this order. */
const hostChecks: readonly HostCheck[] = [
  {
    name: 'Account',
    fix: 'Check CLOUDINARY_URL.',
    gate: true,
    accountOnly: true,
    try: async (trial) => {
      await listOne(trial).catch((error: unknown) => {
        // It has accepted them, too.
        if (!isHoldfastError(error, 'HOST_RATE_LIMITED')) throw error;
      });
      return 'accepts the credentials';
    },
  },
  {
    name: 'Clock',
    means: 'Notifications are refused; from an hour on, so are all uploads and edits.',
    fix: 'Set the clock of this machine, with NTP.',
    accountOnly: true,
    try: ({ host }) => {
      const aheadMs = host.hostNow() - Date.now();
      const found = `this machine is ${seconds(Math.abs(aheadMs))} ${aheadMs > 0 ? 'behind' : 'ahead'}`;
      return Math.abs(aheadMs) <= 60_000 ? found : wrong(found);
    },
  },
  {
    name: 'Admin calls',
    means: 'Syncs wait until then. Uploads continue.',
    fix: 'Wait for the next hour, or take a plan with more calls.',
    accountOnly: true,
    try: async (trial) => {
      try {
        await listOne(trial);
      } catch (error) {
        if (isHoldfastError(error, 'HOST_RATE_LIMITED')) return wrong(error.message);
        throw error;
      }
      const budget = trial.host.budget();
      if (budget === null) return note('not said', 'Holdfast slows down only once it is refused.');
      const { limit, remaining, resetAt } = budget;
      const found = `${String(remaining)} of ${String(limit)} left until ${resetAt.slice(11, 16)} UTC`;
      return remaining > limit / 10 ? found : note(found, 'Syncs slow down until then.');
    },
  },
  {
    name: 'Upload',
    means: 'Uploads fail.',
    gate: true,
    try: async (trial) => {
      const { host, signal } = trial;
      // Of a doctor that was killed.
      await removeTestFiles(host, trial.settings, signal);
      const { image } = namesOf(trial.settings);
      trial.sent = markOf(trial.runId, redPng, { context: OTHERS, tags: TAGS, category: 'test' });
      await host.put({ ref: image, metadata: trial.sent, body: redPng, signal }).catch((error: unknown) => {
        // Refused: nothing is there.
        if (!isTransientHostError(error)) trial.sent = null;
        throw error;
      });
      trial.storedAt = performance.now();
      trial.image = await host.find(image, signal);
      return trial.image === null ? wrong('cannot be found right after') : 'stored as sent';
    },
  },
  {
    name: 'Stored bytes',
    means: 'Holdfast refuses such uploads.',
    fix: PRESETS,
    try: (trial) => judgeBytes(theImage(trial), redPng),
  },
  {
    name: 'Context and tags',
    means: 'A rebuild of the catalog would lose or change these fields.',
    try: (trial) => {
      const { context, tags } = theImage(trial);
      const lost = Object.entries(trial.sent?.context ?? {})
        .filter(([key, value]) => context[key] !== value)
        .map(([key]) => `${key}: ${context[key] ?? 'none'}`);
      if (!isSameSet(tags, TAGS)) lost.push(`tags: ${tags.join(' ')}`);
      return lost.length === 0 ? 'all, also = | \\ and emoji' : wrong(lost.join(', '));
    },
  },
  {
    name: 'Second upload',
    means: 'Sending an upload twice could change the stored file.',
    try: async (trial) => {
      const { host, signal } = trial;
      const { etag, assetId } = theImage(trial);
      const { image } = namesOf(trial.settings);
      await host.put({ ref: image, metadata: markOf(trial.runId, bluePng), body: bluePng, signal });
      const now = await host.find(image, signal);
      return now?.etag === etag && now.assetId === assetId
        ? 'the first is kept'
        : wrong('replaces the first');
    },
  },
  {
    name: 'Edit',
    means: 'A field that is cleared here would come back.',
    try: async (trial) => {
      const { host, signal } = trial;
      const { image } = namesOf(trial.settings);
      const metadata = markOf(trial.runId, redPng, { context: OTHERS, tags: EDITED_TAGS });
      await host.annotate(image, metadata, signal);
      const edited = await host.find(image, signal);
      if (edited === null || 'category' in edited.context || !isSameSet(edited.tags, EDITED_TAGS))
        return wrong('what is left out stays');
      trial.image = edited;
      return 'replaces all context and tags';
    },
  },
  {
    name: 'Look-up by id',
    means: 'Files that exist would be marked missing.',
    try: async (trial) => {
      const ids = [theImage(trial).assetId];
      const look = () => trial.host.confirm(ids, trial.signal);
      const { assets } = await askUntil(trial, look, (shown) => shown.assets.length > 0);
      return assets.length > 0 ? 'found' : wrong('not found');
    },
  },
  {
    name: 'Upload in parts',
    means: 'Files above 100 MB are refused.',
    fix: 'Lower UPLOAD_MAX_BYTES to 100000000: larger files are sent in parts.',
    accountOnly: true,
    try: async (trial) =>
      judgeBytes(await putTestFile(trial, namesOf(trial.settings).parts, partsBody), partsBody),
  },
  {
    name: 'Delivery',
    means: 'The URLs in records do not work.',
    fix: 'In the console, Settings, Security: let the delivery type upload be served without a signature.',
    accountOnly: true,
    try: (trial) => judgeDelivery(trial, theImage(trial), redPng),
  },
  {
    name: 'Delivery of a PDF',
    means: 'PDFs are kept, but their URLs do not work.',
    fix: 'In the console, Settings, Security, "PDF and ZIP files delivery": allow it. New accounts do not.',
    accountOnly: true,
    try: async (trial) => {
      if (!isAllowedType('application/pdf', trial.settings.uploads.allowedTypes))
        throw new NotRun('UPLOAD_ALLOWED_TYPES has no PDF');
      return judgeDelivery(trial, await putTestFile(trial, namesOf(trial.settings).pdf, emptyPdf), emptyPdf);
    },
  },
  {
    name: 'Private file',
    means: 'Snapshots of the catalog could not be restored: recoveries would use the listing.',
    fix: 'Allow the delivery type authenticated, or set CATALOG_SNAPSHOT=false.',
    try: async (trial) => {
      const { host, signal } = trial;
      const { file } = namesOf(trial.settings);
      await host.putFile(file, fileBody, signal);
      const body = await host.readFile(file, signal);
      if (body === null) return wrong('its download answers 404');
      if (!body.equals(fileBody)) return wrong('its download has other bytes');
      const look = () => host.listFiles(file, signal);
      const listed = await askUntil(trial, look, (files) => files.length > 0);
      return listed.length > 0 ? 'stored, listed, downloaded' : wrong('not listed');
    },
  },
  {
    name: 'Listing',
    means: 'Syncs and rebuilds cannot read what the listing lacks.',
    try: async (trial) => {
      const image = theImage(trial);
      const request = { resourceType: 'image', cursor: null, limit: 500, signal: trial.signal } as const;
      const { assets, unreadable, lacking } = await askUntil(
        trial,
        () => trial.host.list(request),
        (page) => page.assets.length + page.unreadable.length > 0,
      );
      if (lacking.length > 0) return wrong(`no ${lacking.join(', ')}`);
      if (unreadable.length > 0) return wrong(`${String(unreadable.length)} files cannot be read`);
      if (assets.length === 0) return wrong('an empty page', { means: 'Syncs would miss files that exist.' });
      const listed = assets.find(({ assetId }) => assetId === image.assetId) ?? image;
      const differs = (
        ['etag', 'bytes', 'width', 'height', 'format', 'url', 'context', 'tags'] as const
      ).filter((field) => !isDeepStrictEqual(listed[field], image[field]));
      return differs.length === 0 ? 'has every field' : wrong(`no ${differs.join(', ')}, or other ones`);
    },
  },
  {
    name: 'Search',
    means: 'Uploads and edits made elsewhere arrive only with notifications and full syncs.',
    fix: 'Set up notifications (docs/webhooks.md): they do not depend on the search.',
    try: async (trial) => {
      const { host, signal, patienceMs, storedAt } = trial;
      const image = theImage(trial);
      const since = new Date(Date.parse(image.uploadedAt) - 1_000);
      const waited = (): number => performance.now() - storedAt;
      for (const waitMs of SEARCH_AFTER_MS) {
        if (waitMs > 0 && waited() >= patienceMs) break;
        await pause(Math.min(waitMs, Math.max(patienceMs - waited(), 0)), undefined, { signal });
        const { assets } = await host.changes({ since, cursor: null, limit: 500, signal });
        const found = assets.find(({ assetId }) => assetId === image.assetId);
        if (found === undefined) continue;
        if (found.context['hf_id'] !== image.context['hf_id'])
          return wrong('without its context', { means: 'Syncs would treat our files as foreign.' });
        const when = `shows it at most ${seconds(waited())} after its upload`;
        return waited() > OVERLAP_MS / 2 ? note(when, 'Syncs look back three minutes.') : when;
      }
      return wrong(`not within ${seconds(waited())}`);
    },
  },
  {
    name: 'Delete',
    means: 'Deleted files could stay, or look as if they came back.',
    try: async (trial) => {
      const { host, signal } = trial;
      const image = theImage(trial);
      if ((await host.remove(image, signal)) !== 'removed') return wrong('not found at first');
      const look = () => host.confirm([image.assetId], signal);
      const { assets } = await askUntil(trial, look, (shown) => shown.assets.length === 0);
      if (assets.length > 0 || (await host.find(image, signal)) !== null) return wrong('still there');
      return (await host.remove(image, signal)) === 'absent' ? 'gone' : wrong('removed twice');
    },
  },
];

export function checksOf({ kind }: MediaHost): readonly Check<HostTrial>[] {
  return hostChecks.filter(({ accountOnly }) => kind === 'cloudinary' || accountOnly !== true);
}

/** The last one, run whatever came before. */
export const cleanUp: Check<HostTrial> = {
  name: 'Clean-up',
  means: 'Syncs leave these files alone.',
  fix: 'Run doctor again: it removes what is left.',
  try: async (trial) => {
    // Nothing was uploaded.
    if (trial.sent === null) throw new NotRun('nothing was uploaded');
    const left = await removeTestFiles(trial.host, trial.settings, AbortSignal.timeout(60_000));
    return left.length === 0 ? 'nothing is left' : wrong(left.join(', '));
  },
};

async function putTestFile(trial: HostTrial, ref: AssetRef, body: Buffer): Promise<HostAsset> {
  const { host, signal } = trial;
  return (await host.put({ ref, metadata: markOf(trial.runId, body), body, signal })).asset;
}

const listOne = ({ host, signal }: HostTrial): Promise<unknown> =>
  host.list({ resourceType: 'image', cursor: null, limit: 1, signal });

function theImage({ image }: HostTrial): HostAsset {
  if (image === null) throw new NotRun('the test file is not in place');
  return image;
}

const TRIES = 3;
const TRY_EVERY_MS = 2_000;
/** Between two looks at the search. */
const SEARCH_AFTER_MS = [0, 1_000, 2_000, 4_000, 8_000, 15_000];

/** Asks again, twice at most, while the answer does not satisfy: listings may lag a little. Each try is a metered call. */
async function askUntil<T>(
  { signal, patienceMs }: HostTrial,
  ask: () => Promise<T>,
  satisfies: (answer: T) => boolean,
): Promise<T> {
  for (let left = TRIES - 1; ; left -= 1) {
    const answer = await ask();
    if (left === 0 || satisfies(answer)) return answer;
    await pause(Math.min(TRY_EVERY_MS, patienceMs), undefined, { signal });
  }
}

function judgeBytes({ bytes, etag }: HostAsset, sent: Buffer): string | Verdict {
  const size = `${String(bytes)} bytes`;
  if (bytes !== sent.length) return wrong(`${size} for ${String(sent.length)}`);
  if (etag === md5Of(sent)) return `${size}, same MD5`;
  return wrong(etag === null ? `${size}, no etag` : `${size}, etag of other bytes`);
}

async function judgeDelivery(
  { signal }: HostTrial,
  { url, etag }: HostAsset,
  sent: Buffer,
): Promise<string | Verdict> {
  const response = await fetch(url, { signal: AbortSignal.any([signal, AbortSignal.timeout(30_000)]) });
  const body = Buffer.from(await response.arrayBuffer());
  if (!response.ok) return wrong(`its URL answers ${String(response.status)}`);
  if (body.equals(sent)) return 'its URL serves the same bytes';
  if (etag !== md5Of(sent)) throw new NotRun('the account stored other bytes');
  return wrong('its URL serves other bytes');
}

const isSameSet = (a: readonly string[], b: readonly string[]): boolean =>
  a.toSorted().join() === b.toSorted().join();

function seconds(ms: number): string {
  return ms < 120_000 ? `${(ms / 1_000).toFixed(1)} s` : `${String(Math.round(ms / 60_000))} minutes`;
}
