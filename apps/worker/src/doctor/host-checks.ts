import { hash } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { Settings } from '@holdfast/foundation/config';
import { isHoldfastError } from '@holdfast/foundation/errors';
import { isAllowedType, isSameTags, newMediaId, type HostMetadata } from '@holdfast/shared/media';
import {
  isTransientHostError,
  type AssetRef,
  type HostAsset,
  type MediaHost,
} from '@holdfast/shared/media-host';
import { OVERLAP_MS } from '../sync-run/sync-session.js';
import { note, NotRun, PRESETS, wrong, type Check, type Verdict } from './check.js';
import { bodies, markOf, removeTestFiles, testFiles } from './test-files.js';

const TAGS = ['sea', 'Alps', 'beach'];
/** What `Edit` leaves of them. */
const EDITED_TAGS = ['sea', 'Alps'];

/** Between looks at what listings may show late: each is a metered call. The search may lag more. */
const PAUSES_MS = [2_000, 2_000];
const SEARCH_PAUSES_MS = [1_000, 2_000, 4_000, 8_000, 15_000];

/**
 * What Holdfast assumes of a media host. The rows share the test image and run in this order. Pauses between two looks are at most
 * `longestPauseMs`. The last row cleans up, whatever came before.
 */
export function hostChecks(
  host: MediaHost,
  settings: Settings,
  { signal, longestPauseMs }: { signal: AbortSignal; longestPauseMs: number },
): readonly Check[] {
  const files = testFiles(settings.host.folder);
  const id = newMediaId();
  /** How the host said that the metered calls of this hour are used up. */
  let usedUp: string | null = null;
  /** What was sent with the test image, and when it was stored. */
  let sent: HostMetadata | null = null;
  let storedAt = 0;
  let stored: HostAsset | null = null;
  const theImage = (): HostAsset => {
    if (stored === null) throw new NotRun('the test file is not in place');
    return stored;
  };
  const put = (ref: AssetRef, body: Buffer, metadata = markOf(id, body)) =>
    host.put({ ref, metadata, body, signal });
  const lookUntil = async <T>(
    look: () => Promise<T>,
    satisfies: (answer: T) => boolean,
    pausesMs = PAUSES_MS,
  ): Promise<T> => {
    for (const ms of pausesMs) {
      const answer = await look();
      if (satisfies(answer)) return answer;
      await pause(Math.min(ms, longestPauseMs), undefined, { signal });
    }
    return look();
  };
  const judgeDelivery = async ({ url, etag }: HostAsset, body: Buffer): Promise<string | Verdict> => {
    const response = await fetch(url, { signal: AbortSignal.any([signal, AbortSignal.timeout(30_000)]) });
    const served = Buffer.from(await response.arrayBuffer());
    if (!response.ok) return wrong(`its URL answers ${String(response.status)}`);
    if (served.equals(body)) return 'its URL serves the same bytes';
    if (etag !== hash('md5', body)) throw new NotRun('the account stored other bytes');
    return wrong('its URL serves other bytes');
  };

  const checks: Check[] = [
    {
      name: 'Account',
      fix: 'Check CLOUDINARY_URL.',
      gate: true,
      accountOnly: true,
      try: async () => {
        const request = { resourceType: 'image', cursor: null, limit: 1, signal } as const;
        await host.list(request).catch((error: unknown) => {
          // It has accepted them, too.
          if (!isHoldfastError(error, 'HOST_RATE_LIMITED')) throw error;
          usedUp = error.message;
        });
        return 'accepts the credentials';
      },
    },
    {
      name: 'Clock',
      means: 'Notifications are refused; from an hour on, so are all uploads and edits.',
      fix: 'Set the clock of this machine, with NTP.',
      accountOnly: true,
      try: () => {
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
      try: () => {
        if (usedUp !== null) return wrong(usedUp);
        const budget = host.budget();
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
      try: async () => {
        // Of a doctor that was killed.
        await removeTestFiles(host, files, signal);
        sent = markOf(id, bodies.red, { tags: TAGS, category: 'test' });
        await put(files.image, bodies.red, sent).catch((error: unknown) => {
          // Refused: nothing is there.
          if (!isTransientHostError(error)) sent = null;
          throw error;
        });
        storedAt = performance.now();
        stored = await host.find(files.image, signal);
        return stored === null ? wrong('cannot be found right after') : 'stored as sent';
      },
    },
    {
      name: 'Stored bytes',
      means: 'Holdfast refuses such uploads.',
      fix: PRESETS,
      try: () => judgeBytes(theImage(), bodies.red),
    },
    {
      name: 'Context and tags',
      means: 'A rebuild of the catalog would lose or change these fields.',
      try: () => {
        const { context, tags } = theImage();
        const lost = Object.entries(sent?.context ?? {})
          .filter(([key, value]) => context[key] !== value)
          .map(([key]) => `${key}: ${context[key] ?? 'none'}`);
        if (!isSameTags(tags, TAGS)) lost.push(`tags: ${tags.join(' ')}`);
        return lost.length === 0 ? 'all, also = | \\ and emoji' : wrong(lost.join(', '));
      },
    },
    {
      name: 'Second upload',
      means: 'Sending an upload twice could change the stored file.',
      try: async () => {
        const { etag, assetId } = theImage();
        await put(files.image, bodies.blue);
        const now = await host.find(files.image, signal);
        return now?.etag === etag && now.assetId === assetId
          ? 'the first is kept'
          : wrong('replaces the first');
      },
    },
    {
      name: 'Edit',
      means: 'A field that is cleared here would come back.',
      try: async () => {
        await host.annotate(files.image, markOf(id, bodies.red, { tags: EDITED_TAGS }), signal);
        const edited = await host.find(files.image, signal);
        if (edited === null || 'category' in edited.context || !isSameTags(edited.tags, EDITED_TAGS))
          return wrong('what is left out stays');
        stored = edited;
        return 'replaces all context and tags';
      },
    },
    {
      name: 'Look-up by id',
      means: 'Files that exist would be marked missing.',
      try: async () => {
        const ids = [theImage().assetId];
        const look = () => host.confirm(ids, signal);
        const { assets } = await lookUntil(look, (shown) => shown.assets.length > 0);
        return assets.length > 0 ? 'found' : wrong('not found');
      },
    },
    {
      name: 'Upload in parts',
      means: 'Files above 100 MB are refused.',
      fix: 'Lower UPLOAD_MAX_BYTES to 100000000: larger files are sent in parts.',
      accountOnly: true,
      try: async () => judgeBytes((await put(files.parts, bodies.parts)).asset, bodies.parts),
    },
    {
      name: 'Delivery',
      means: 'The URLs in records do not work.',
      fix: 'In the console, Settings, Security: let the delivery type upload be served without a signature.',
      accountOnly: true,
      try: () => judgeDelivery(theImage(), bodies.red),
    },
    {
      name: 'Delivery of a PDF',
      means: 'PDFs are kept, but their URLs do not work.',
      fix: 'In the console, Settings, Security, "PDF and ZIP files delivery": allow it. New accounts do not.',
      accountOnly: true,
      try: async () => {
        if (!isAllowedType('application/pdf', settings.uploads.allowedTypes))
          throw new NotRun('UPLOAD_ALLOWED_TYPES has no PDF');
        return judgeDelivery((await put(files.pdf, bodies.pdf)).asset, bodies.pdf);
      },
    },
    {
      name: 'Private file',
      means: 'Snapshots of the catalog could not be restored: recoveries would use the listing.',
      fix: 'Allow the delivery type authenticated, or set CATALOG_SNAPSHOT=false.',
      try: async () => {
        await host.putFile(files.private, bodies.file, signal);
        const body = await host.readFile(files.private, signal);
        if (body === null) return wrong('its download answers 404');
        if (!body.equals(bodies.file)) return wrong('its download has other bytes');
        const look = () => host.listFiles(files.private, signal);
        const listed = await lookUntil(look, (shown) => shown.length > 0);
        return listed.length > 0 ? 'stored, listed, downloaded' : wrong('not listed');
      },
    },
    {
      name: 'Listing',
      means: 'Syncs and rebuilds cannot read what the listing lacks.',
      try: async () => {
        const image = theImage();
        const { assets, unreadable, lacking } = await lookUntil(
          () => host.list({ resourceType: 'image', cursor: null, limit: 500, signal }),
          (page) => page.assets.length + page.unreadable.length > 0,
        );
        if (lacking.length > 0) return wrong(`no ${lacking.join(', ')}`);
        if (unreadable.length > 0) return wrong(`${String(unreadable.length)} files cannot be read`);
        if (assets.length === 0)
          return wrong('an empty page', { means: 'Syncs would miss files that exist.' });
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
      try: async () => {
        const image = theImage();
        const since = new Date(Date.parse(image.uploadedAt) - 1_000);
        const look = async () => {
          const { assets } = await host.changes({ since, cursor: null, limit: 500, signal });
          return assets.find(({ assetId }) => assetId === image.assetId);
        };
        const found = await lookUntil(look, (shown) => shown !== undefined, SEARCH_PAUSES_MS);
        const waitedMs = performance.now() - storedAt;
        if (found === undefined) return wrong(`not within ${seconds(waitedMs)}`);
        if (found.context['hf_id'] !== image.context['hf_id'])
          return wrong('without its context', { means: 'Syncs would treat our files as foreign.' });
        const when = `shows it at most ${seconds(waitedMs)} after its upload`;
        return waitedMs > OVERLAP_MS / 2 ? note(when, 'Syncs look back three minutes.') : when;
      },
    },
    {
      name: 'Delete',
      means: 'Deleted files could stay, or look as if they came back.',
      try: async () => {
        const image = theImage();
        if ((await host.remove(image, signal)) !== 'removed') return wrong('not found at first');
        const look = () => host.confirm([image.assetId], signal);
        const { assets } = await lookUntil(look, (shown) => shown.assets.length === 0);
        if (assets.length > 0 || (await host.find(image, signal)) !== null) return wrong('still there');
        return (await host.remove(image, signal)) === 'absent' ? 'gone' : wrong('removed twice');
      },
    },
    {
      name: 'Clean-up',
      means: 'Syncs leave these files alone.',
      fix: 'Run doctor again: it removes what is left.',
      always: true,
      try: async () => {
        if (sent === null) throw new NotRun('nothing was uploaded');
        const left = await removeTestFiles(host, files, AbortSignal.timeout(60_000));
        return left.length === 0 ? 'nothing is left' : wrong(left.join(', '));
      },
    },
  ];
  return checks.filter(({ accountOnly }) => host.kind === 'cloudinary' || accountOnly !== true);
}

function judgeBytes({ bytes, etag }: HostAsset, sent: Buffer): string | Verdict {
  const size = `${String(bytes)} bytes`;
  if (bytes !== sent.length) return wrong(`${size} for ${String(sent.length)}`);
  if (etag === hash('md5', sent)) return `${size}, same MD5`;
  return wrong(etag === null ? `${size}, no etag` : `${size}, etag of other bytes`);
}

function seconds(ms: number): string {
  return ms < 120_000 ? `${(ms / 1_000).toFixed(1)} s` : `${String(Math.round(ms / 60_000))} minutes`;
}
