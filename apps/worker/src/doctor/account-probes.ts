import { setTimeout as pause } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { HostAsset } from '@holdfast/shared/media-host';
import { OVERLAP_MS } from '../sync-run/sync-session.js';
import { EDITED_TAGS, noteTags, theImage } from './file-probes.js';
import { megabytes } from './machine-probes.js';
import { note, NotRun, ok, type Probe, REPORT, type Verdict, wrong } from './probe.js';
import {
  type AccountTrial,
  askUntil,
  asRecord,
  contextShape,
  itemsOf,
  removeLeftovers,
  removeMade,
} from './trial.js';

const MINUTE_MS = 60_000;

/** The assumptions about an account as a whole. */
export const accountProbes: readonly Probe<AccountTrial>[] = [
  {
    name: 'Account',
    expected: 'accepts the credentials',
    fix: 'Check CLOUDINARY_URL.',
    gate: true,
    run: async (trial) => {
      const { account, cloud, signal } = trial;
      const settings = asRecord(asRecord(await account.settings(signal))['settings']);
      const mode = settings['folder_mode'];
      trial.folderMode = typeof mode === 'string' ? mode : null;
      return ok(typeof mode === 'string' ? `${cloud.cloudName}, with ${mode} folders` : cloud.cloudName);
    },
  },
  {
    name: 'Clock',
    expected: 'within a minute of the host',
    fix: 'Set the clock of this machine, with NTP.',
    run: ({ account }) => {
      const aheadMs = account.aheadMs();
      const apart = Math.abs(aheadMs);
      const found =
        apart < 2_000
          ? 'less than 2 s apart'
          : `this machine is ${duration(apart)} ${aheadMs > 0 ? 'behind' : 'ahead'}`;
      if (apart <= MINUTE_MS) return ok(found);
      return apart <= 5 * MINUTE_MS
        ? note(found, 'Holdfast compares dates of the host by the clock of the host.')
        : wrong(found, 'Notifications are refused; from an hour on, so are all uploads and edits.');
    },
  },
  {
    name: 'Admin calls',
    expected: 'answers say how many are left',
    fix: 'Wait for the next hour, or take a plan with more calls.',
    run: ({ account }) => {
      const budget = account.budget();
      const refusal = account.refusals.find(({ code }) => code === 'HOST_RATE_LIMITED');
      if (refusal !== undefined) return wrong(refusal.message, 'Syncs wait until then. Uploads go on.');
      if (budget === null) return note('not said', 'Holdfast slows down only once it is refused.');
      const { limit, remaining, resetAt } = budget;
      const found = `${String(remaining)} of ${String(limit)} left until ${resetAt.slice(11, 16)} UTC`;
      return remaining > limit / 10 ? ok(found) : note(found, 'Syncs slow down until then.');
    },
  },
  {
    name: 'Plan',
    expected: 'allows UPLOAD_MAX_BYTES',
    fix: 'Lower UPLOAD_MAX_BYTES, or take a larger plan.',
    run: async ({ account, settings, signal }) => {
      const limits = asRecord(asRecord(await account.usage(signal))['media_limits']);
      const bytesOf = (type: string): number => Number(limits[`${type}_max_size_bytes`] ?? Infinity);
      const sizes = (['image', 'video', 'raw'] as const).map((type) => [type, bytesOf(type)] as const);
      if (sizes.every(([, bytes]) => bytes === Infinity)) return ok('names no limits');
      const found = sizes.map(([type, bytes]) => `${type} ${megabytes(bytes)}`).join(', ');
      return sizes.every(([, bytes]) => bytes >= settings.uploads.maxBytes)
        ? ok(found)
        : note(found, 'Larger files are refused with 413 HOST_LIMIT after their transfer.');
    },
  },
  {
    name: 'Leftovers',
    expected: 'none of an earlier doctor',
    fix: 'Look below the folder doctor in the Media Library.',
    run: async (trial) => {
      const removed = await removeLeftovers(trial);
      return ok(removed === 0 ? 'none' : `removed ${String(removed)}`);
    },
  },
];

/** After all others: it judges how long their calls took. */
export const answerTimeProbe: Probe<AccountTrial> = {
  name: 'Answer time',
  expected: 'below 1 s mostly',
  fix: 'Run Holdfast nearer to the host, or look at the network and at status.cloudinary.com.',
  run: ({ account: { answerMs }, slowMs }) => {
    const middle = answerMs.toSorted((a, b) => a - b)[Math.floor(answerMs.length / 2)];
    if (middle === undefined) throw new NotRun('nothing was answered');
    const found = `median of ${String(answerMs.length)} calls: ${duration(middle)}`;
    return middle <= slowMs ? ok(found) : note(found, 'Each upload takes two to three calls.');
  },
};

function duration(ms: number): string {
  if (ms < 1_000) return `${String(Math.round(ms))} ms`;
  if (ms < 2 * MINUTE_MS) return `${(ms / 1_000).toFixed(1)} s`;
  return `${String(Math.round(ms / MINUTE_MS))} minutes`;
}

/** What a rebuild of the catalog needs of each item. */
const NEEDED =
  'asset_id public_id resource_type format version created_at bytes width height secure_url etag tags context'.split(
    ' ',
  );
const WELCOME = ['uploaded_at'];
/** Between two looks at the search. */
const SEARCH_EVERY_MS = [1_000, 2_000, 4_000, 8_000, 15_000];

/** The assumptions about listings and the search, which syncs and rebuilds stand on. */
export const listingProbes: readonly Probe<AccountTrial>[] = [
  {
    name: 'Listing',
    expected: 'has every field we ask for',
    fix: REPORT,
    run: async (trial) => {
      const { account, signal } = trial;
      const image = theImage(trial);
      const before = account.replies.length;
      const items = (): Record<string, unknown>[] => account.replies.slice(before).flatMap(itemsOf);
      let listed: HostAsset | undefined;
      try {
        listed = await askUntil(
          trial,
          async () => {
            const page = await account.own.list({ resourceType: 'image', cursor: null, limit: 100, signal });
            return page.assets.find(({ assetId }) => assetId === image.assetId);
          },
          (found) => found !== undefined,
        );
      } catch (error) {
        // Where there is an answer, its fields tell more than the error.
        if (items().length === 0) throw error;
      }
      return judgeItem(trial, image, listed, items());
    },
  },
  {
    name: 'Listing order',
    expected: 'oldest first',
    fix: REPORT,
    run: async (trial) => {
      const { account, signal } = trial;
      theImage(trial);
      await account.host.list({ resourceType: 'image', cursor: null, limit: 10, signal });
      const times = itemsOf(account.replies.at(-1)).map((item) => Date.parse(String(item['created_at'])));
      return times.every((time, index) => index === 0 || (times[index - 1] ?? 0) <= time)
        ? ok(`so are the first ${String(times.length)}`)
        : wrong(
            'in another order',
            'Files that come in during a full sync could be passed over until the next.',
          );
    },
  },
  {
    name: 'Look-up by id',
    expected: 'finds a renamed file',
    fix: REPORT,
    run: async (trial) => {
      const image = theImage(trial);
      const {
        assets: [found],
      } = await askUntil(
        trial,
        () => trial.account.host.confirm([image.assetId], trial.signal),
        ({ assets: [asset] }) => asset?.publicId === image.publicId,
      );
      return found?.publicId === image.publicId
        ? ok('found')
        : wrong('not found', 'Files would be marked missing that are there.');
    },
  },
  {
    name: 'Search',
    expected: 'shows new files in seconds',
    fix: 'Set up notifications (docs/webhooks.md): they do not depend on the search.',
    run: async (trial) => {
      const { account, signal, patienceMs } = trial;
      const image = theImage(trial);
      const since = new Date(Date.parse(image.uploadedAt) - 1_000);
      for (const waitMs of [0, ...SEARCH_EVERY_MS]) {
        const waited = performance.now() - trial.imageStoredAt;
        if (waitMs > 0 && waited >= patienceMs) break;
        await pause(Math.min(waitMs, Math.max(patienceMs - waited, 0)), undefined, { signal });
        const { assets } = await account.host.changes({ since, cursor: null, limit: 500, signal });
        const found = assets.find(({ assetId }) => assetId === image.assetId);
        if (found === undefined) continue;
        trial.isFound = true;
        return judgeSearch(trial, found);
      }
      const seconds = Math.round((performance.now() - trial.imageStoredAt) / 1_000);
      return wrong(
        `not within ${String(seconds)} s`,
        'What others upload or change comes in by notifications and full syncs only.',
      );
    },
  },
  {
    name: 'Search for edits',
    expected: 'knows last_updated',
    fix: 'Set up notifications (docs/webhooks.md), or lower AUTO_SYNC_FULL_INTERVAL_HOURS.',
    run: async (trial) => {
      const { account, signal } = trial;
      const image = theImage(trial);
      if (!trial.isFound) throw new NotRun('the search does not show the file');
      const since = new Date(Date.parse(image.uploadedAt) - 1_000).toISOString();
      const reply = await account.search(`asset_id="${image.assetId}" AND last_updated>="${since}"`, signal);
      return itemsOf(reply).length > 0
        ? ok('found by it')
        : note('not found by it', 'Edits made in the console come in by notifications and full syncs only.');
    },
  },
  {
    name: 'Tags',
    expected: 'as sent, in the order sent',
    fix: REPORT,
    run: (trial) => {
      const { tags } = theImage(trial);
      const set = (list: readonly string[]): string => list.toSorted().join();
      if (set(tags) !== set(EDITED_TAGS))
        return wrong(tags.join(', ') || 'none', 'Tags of records would be lost.');
      return trial.tagsReordered.size === 0
        ? ok('as sent')
        : note(
            `in another order in ${[...trial.tagsReordered].join(', ')}`,
            'Holdfast compares tags as sets.',
          );
    },
  },
];

function judgeItem(
  trial: AccountTrial,
  image: HostAsset,
  listed: HostAsset | undefined,
  items: readonly Record<string, unknown>[],
): Verdict {
  const item = items.findLast((shown) => shown['asset_id'] === image.assetId) ?? items[0];
  if (item === undefined) return wrong('an empty page', 'Syncs would not see files that are there.');
  const lacks = (names: readonly string[]): string[] => names.filter((name) => item[name] === undefined);
  const missing = lacks(NEEDED);
  if (missing.length > 0) {
    const all = missing.length > NEEDED.length / 2;
    const shown = Object.keys(item).toSorted().join(', ');
    const refusal = trial.account.refusals.find(({ code }) => code === 'HOST_REJECTED');
    const without = `no ${missing.join(', ')}`;
    return wrong(
      all
        ? `items only have ${shown}`
        : refusal === undefined
          ? without
          : `refuses the fields (${refusal.message}); without them ${without}`,
      missing.includes('asset_id') || missing.includes('context')
        ? 'Syncs and rebuilds cannot read the listing.'
        : missing.includes('etag')
          ? 'Syncs cannot see whether stored bytes have changed.'
          : 'A rebuild of the catalog would lose these fields.',
    );
  }
  if (listed === undefined) return wrong('our file cannot be read in it', 'Syncs would not see such files.');
  noteTags(trial, 'listings', item, EDITED_TAGS);
  if (!isDeepStrictEqual(listed.context, image.context))
    return wrong('another context than the upload', 'A rebuild of the catalog would differ.');
  const shape = contextShape(item);
  if (shape !== 'nested') return note(`all, context as ${shape}`, 'Holdfast reads that, too.');
  const absent = lacks(WELCOME);
  return absent.length === 0
    ? ok('all')
    : note(`no ${absent.join(', ')}`, 'Holdfast takes the time of the version instead.');
}

function judgeSearch(trial: AccountTrial, found: HostAsset): Verdict {
  const { account, imageStoredAt } = trial;
  const image = theImage(trial);
  const item = itemsOf(account.replies.at(-1)).find((shown) => shown['asset_id'] === image.assetId) ?? {};
  const afterMs = performance.now() - imageStoredAt;
  noteTags(trial, 'the search', item, EDITED_TAGS);
  if (found.context['hf_id'] !== image.context['hf_id'])
    return wrong('without its context', 'Syncs take our files for those of others.');
  const when = `at most ${(afterMs / 1_000).toFixed(1)} s after its upload`;
  if (afterMs > OVERLAP_MS / 2) return note(when, 'Syncs look back three minutes.');
  return ok(when);
}

export const deleteProbe: Probe<AccountTrial> = {
  name: 'Delete',
  expected: 'gone, then not found',
  fix: REPORT,
  run: async (trial) => {
    const { account, signal } = trial;
    const image = theImage(trial);
    if ((await account.host.remove(image, signal)) !== 'removed')
      return wrong('not found at the first time', 'Deleted files could stay.');
    const before = account.replies.length;
    const stays = (await account.host.find(image, signal)) !== null;
    const backup = account.replies.slice(before).some((reply) => asRecord(reply)['placeholder'] === true);
    const confirmed = await askUntil(
      trial,
      () => account.host.confirm([image.assetId], signal),
      ({ assets }) => assets.length === 0,
    );
    if (stays || confirmed.assets.length > 0)
      return wrong('still there', 'Deleted files look as if they came back.');
    if ((await account.host.remove(image, signal)) !== 'absent')
      return wrong('removed twice', 'A file that is gone is not told from one that is there.');
    return backup ? note('gone, with a backup', 'Holdfast takes a backup for no file.') : ok('gone');
  },
};

/** The last one, run whatever came before. */
export const cleanUpProbe: Probe<AccountTrial> = {
  name: 'Clean-up',
  expected: 'nothing is left',
  fix: 'Run doctor again in ten minutes: it removes what is left.',
  run: async (trial) => {
    const files = trial.made.length + (trial.madeFile ? 1 : 0);
    if (files === 0) throw new NotRun('nothing was uploaded');
    const left = await removeMade(trial);
    return left.length === 0 ? ok('nothing') : wrong(left.join(', '), 'Syncs leave these files alone.');
  },
};
