import { megabytes } from './machine-probes.js';
import { note, NotRun, ok, wrong, type Probe } from './probe.js';
import { asRecord } from './raw-answers.js';
import { removeLeftovers, type AccountTrial } from './trial.js';

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
