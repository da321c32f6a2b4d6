import { setTimeout as pause } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { OVERLAP_MS } from '../sync-run/sync-session.js';
import { note, NotRun, REPORT, wrong, type Check } from './check.js';
import { megabytes } from './machine-checks.js';
import {
  type AccountTrial,
  askUntil,
  asRecord,
  itemsOf,
  removeLeftovers,
  removeMade,
  theImage,
} from './trial.js';

const MINUTE_MS = 60_000;

/** The assumptions about an account as a whole. */
export const accountChecks: readonly Check<AccountTrial>[] = [
  {
    name: 'Account',
    expected: 'accepts the credentials',
    fix: 'Check CLOUDINARY_URL.',
    gate: true,
    try: async (trial) => {
      const { account, cloud, signal } = trial;
      const mode = asRecord(asRecord(await account.settings(signal))['settings'])['folder_mode'];
      if (typeof mode !== 'string') return cloud.cloudName;
      trial.folderMode = mode;
      return `${cloud.cloudName}, with ${mode} folders`;
    },
  },
  {
    name: 'Clock',
    expected: 'within a minute of the host',
    means: 'Notifications are refused; from an hour on, so are all uploads and edits.',
    fix: 'Set the clock of this machine, with NTP.',
    try: ({ account }) => {
      const aheadMs = account.aheadMs();
      const apart = Math.abs(aheadMs);
      if (apart < 2_000) return 'less than 2 s apart';
      const found = `this machine is ${duration(apart)} ${aheadMs > 0 ? 'behind' : 'ahead'}`;
      if (apart <= MINUTE_MS) return found;
      return apart <= 5 * MINUTE_MS
        ? note(found, 'Holdfast compares dates of the host by the clock of the host.')
        : wrong(found);
    },
  },
  {
    name: 'Admin calls',
    expected: 'answers say how many are left',
    means: 'Syncs wait until then. Uploads continue.',
    fix: 'Wait for the next hour, or take a plan with more calls.',
    try: ({ account }) => {
      const budget = account.budget();
      const refusal = account.refusals.find(({ code }) => code === 'HOST_RATE_LIMITED');
      if (refusal !== undefined) return wrong(refusal.message);
      if (budget === null) return note('not said', 'Holdfast slows down only once it is refused.');
      const { limit, remaining, resetAt } = budget;
      const found = `${String(remaining)} of ${String(limit)} left until ${resetAt.slice(11, 16)} UTC`;
      return remaining > limit / 10 ? found : note(found, 'Syncs slow down until then.');
    },
  },
  {
    name: 'Plan',
    expected: 'allows UPLOAD_MAX_BYTES',
    fix: 'Lower UPLOAD_MAX_BYTES, or take a larger plan.',
    try: async ({ account, settings, signal }) => {
      const limits = asRecord(asRecord(await account.usage(signal))['media_limits']);
      const sizes = ['image', 'video', 'raw'].flatMap((type) => {
        const bytes = Number(limits[`${type}_max_size_bytes`] ?? Infinity);
        return bytes === Infinity ? [] : [{ type, bytes }];
      });
      if (sizes.length === 0) return 'names no limits';
      const found = sizes.map(({ type, bytes }) => `${type} ${megabytes(bytes)}`).join(', ');
      return sizes.every(({ bytes }) => bytes >= settings.uploads.maxBytes)
        ? found
        : note(found, 'Larger files are refused with 413 HOST_LIMIT after their transfer.');
    },
  },
  {
    name: 'Leftovers',
    expected: 'none left by an earlier doctor',
    fix: 'Look below the folder doctor in the Media Library.',
    try: async (trial) => {
      const removed = await removeLeftovers(trial);
      return removed === 0 ? 'none' : `removed ${String(removed)}`;
    },
  },
];

/** What a rebuild of the catalog needs of each item of a listing. */
const NEEDED =
  'asset_id public_id resource_type format version created_at bytes width height secure_url etag tags context'.split(
    ' ',
  );
/** Between two looks at the search. */
const SEARCH_AFTER_MS = [0, 1_000, 2_000, 4_000, 8_000, 15_000];

/** The assumptions about listings and the search, which syncs and rebuilds stand on, and about deletes. */
export const listingChecks: readonly Check<AccountTrial>[] = [
  {
    name: 'Listing',
    expected: 'has every field we ask for',
    means: 'Syncs and rebuilds cannot read what the listing lacks.',
    fix: REPORT,
    try: async (trial) => {
      const { account, signal } = trial;
      const image = theImage(trial);
      const before = account.replies.length;
      const list = async () => {
        const page = await account.own.list({ resourceType: 'image', cursor: null, limit: 100, signal });
        return page.assets.find(({ assetId }) => assetId === image.assetId);
      };
      // A page of items that cannot be read is an error; what it lacks tells more.
      const listed = await askUntil(trial, list, (found) => found !== undefined).catch(
        (error: unknown) => error,
      );
      const items = account.replies.slice(before).flatMap(itemsOf);
      const item = items.findLast((shown) => shown['asset_id'] === image.assetId) ?? items[0];
      if (item === undefined && listed instanceof Error) throw listed;
      if (item === undefined) return wrong('an empty page', { means: 'Syncs would miss files that exist.' });
      const missing = NEEDED.filter((name) => item[name] === undefined);
      const refusal = account.refusals.find(({ code }) => code === 'HOST_REJECTED');
      const refused = refusal === undefined ? '' : `refuses the fields (${refusal.message}); without them `;
      if (missing.length > 0) return wrong(`${refused}no ${missing.join(', ')}`);
      if (!isDeepStrictEqual(asRecord(listed)['context'], image.context))
        return wrong('a different context than the upload', {
          means: 'A rebuild of the catalog would differ.',
        });
      return item['uploaded_at'] === undefined
        ? note('no uploaded_at', 'Holdfast takes the time of the version instead.')
        : 'all';
    },
  },
  {
    name: 'Listing order',
    expected: 'oldest first',
    means: 'Files that come in during a full sync could be passed over until the next.',
    fix: REPORT,
    try: async ({ account, signal }) => {
      const { assets } = await account.host.list({ resourceType: 'image', cursor: null, limit: 10, signal });
      const times = assets.map(({ createdAt }) => Date.parse(createdAt));
      return isDeepStrictEqual(
        times,
        times.toSorted((a, b) => a - b),
      )
        ? `so are the first ${String(times.length)}`
        : wrong('in another order');
    },
  },
  {
    name: 'Look-up by id',
    expected: 'finds a renamed file',
    means: 'Files that exist would be marked missing.',
    fix: REPORT,
    try: async (trial) => {
      const { assetId, publicId } = theImage(trial);
      const isFound = ({ assets }: { assets: { publicId: string }[] }): boolean =>
        assets[0]?.publicId === publicId;
      const answer = await askUntil(
        trial,
        () => trial.account.host.confirm([assetId], trial.signal),
        isFound,
      );
      return isFound(answer) ? 'found' : wrong('not found');
    },
  },
  {
    name: 'Search',
    expected: 'shows new files in seconds',
    means: 'Uploads and edits made elsewhere arrive only with notifications and full syncs.',
    fix: 'Set up notifications (docs/webhooks.md): they do not depend on the search.',
    try: async (trial) => {
      const { account, signal, patienceMs, imageStoredAt } = trial;
      const image = theImage(trial);
      const since = new Date(Date.parse(image.uploadedAt) - 1_000);
      const waited = (): number => performance.now() - imageStoredAt;
      for (const waitMs of SEARCH_AFTER_MS) {
        if (waitMs > 0 && waited() >= patienceMs) break;
        await pause(Math.min(waitMs, Math.max(patienceMs - waited(), 0)), undefined, { signal });
        const { assets } = await account.host.changes({ since, cursor: null, limit: 500, signal });
        const found = assets.find(({ assetId }) => assetId === image.assetId);
        if (found === undefined) continue;
        trial.isFound = true;
        if (found.context['hf_id'] !== image.context['hf_id'])
          return wrong('without its context', {
            means: 'Syncs would treat our files as foreign.',
            fix: REPORT,
          });
        const when = `at most ${duration(waited())} after its upload`;
        return waited() > OVERLAP_MS / 2 ? note(when, 'Syncs look back three minutes.') : when;
      }
      return wrong(`not within ${duration(waited())}`);
    },
  },
  {
    name: 'Search for edits',
    expected: 'knows last_updated',
    fix: 'Set up notifications (docs/webhooks.md), or lower AUTO_SYNC_FULL_INTERVAL_HOURS.',
    try: async (trial) => {
      const { assetId, uploadedAt } = theImage(trial);
      if (!trial.isFound) throw new NotRun('the search does not show the file');
      const since = new Date(Date.parse(uploadedAt) - 1_000).toISOString();
      const expression = `asset_id="${assetId}" AND last_updated>="${since}"`;
      return itemsOf(await trial.account.search(expression, trial.signal)).length > 0
        ? 'found by it'
        : note('not found by it', 'Edits made in the console arrive only with notifications and full syncs.');
    },
  },
  {
    name: 'Delete',
    expected: 'gone, then not found',
    means: 'Deleted files could stay, or look as if they came back.',
    fix: REPORT,
    try: async (trial) => {
      const { account, signal } = trial;
      const image = theImage(trial);
      if ((await account.host.remove(image, signal)) !== 'removed') return wrong('not found at first');
      const before = account.replies.length;
      const stays = (await account.host.find(image, signal)) !== null;
      const isBackup = account.replies.slice(before).some((reply) => asRecord(reply)['placeholder'] === true);
      const { assets } = await askUntil(
        trial,
        () => account.host.confirm([image.assetId], signal),
        (shown) => shown.assets.length === 0,
      );
      if (stays || assets.length > 0) return wrong('still there');
      if ((await account.host.remove(image, signal)) !== 'absent') return wrong('removed twice');
      return isBackup ? note('gone, with a backup', 'Holdfast does not count a backup as a file.') : 'gone';
    },
  },
];

/** The last ones, run whatever came before. */
export const lastChecks: readonly Check<AccountTrial>[] = [
  {
    name: 'Clean-up',
    expected: 'nothing is left',
    means: 'Syncs leave these files alone.',
    fix: 'Run doctor again in ten minutes: it removes what is left.',
    try: async (trial) => {
      if (trial.made.length === 0 && !trial.madeFile) throw new NotRun('nothing was uploaded');
      const left = await removeMade(trial);
      return left.length === 0 ? 'nothing' : wrong(left.join(', '));
    },
  },
  {
    name: 'Answer time',
    expected: 'below 1 s mostly',
    fix: 'Run Holdfast closer to the host, or look at the network and at status.cloudinary.com.',
    try: ({ account: { answerMs }, slowMs }) => {
      const middle = answerMs.toSorted((a, b) => a - b)[Math.floor(answerMs.length / 2)];
      if (middle === undefined) throw new NotRun('nothing was answered');
      const found = `median of ${String(answerMs.length)} calls: ${duration(middle)}`;
      return middle <= slowMs ? found : note(found, 'Each upload takes two to three calls.');
    },
  },
];

function duration(ms: number): string {
  if (ms < 1_000) return `${String(Math.round(ms))} ms`;
  if (ms < 2 * MINUTE_MS) return `${(ms / 1_000).toFixed(1)} s`;
  return `${String(Math.round(ms / MINUTE_MS))} minutes`;
}
