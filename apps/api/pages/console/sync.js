import { call } from './call.js';
import { byId, element, say, timeOf } from './elements.js';

/** @type {Readonly<Record<string, string>>} */
const looks = { ok: 'good', partial: 'fair', failed: 'bad' };

/** Shows the running and the last runs. Resolves with whether one is running. */
export async function showRuns() {
  const { running, lastRun, lastFullRun, nextRunAt } = await call('/api/media/sync/status');
  const others = [lastRun, lastFullRun].filter(
    (run, index, all) => run !== null && all.findIndex((each) => each?.runId === run.runId) === index,
  );
  const next = nextRunAt === null ? [] : [element('p', {}, 'Next run: ', timeOf(nextRunAt))];
  byId('runs', HTMLDivElement).replaceChildren(
    ...next,
    ...(running === null ? [] : [describeRun(running)]),
    ...others.map(describeRun),
  );
  return running !== null;
}

/** @param {any} run */
function describeRun(run) {
  const { mode, trigger, result, startedAt, findings, lastError, dryRun, waitingUntil } = run;
  // Its counts show what would be done; without the word they would look like real changes.
  const kind = dryRun ? `${trigger}, dry run` : trigger;
  const counts = ['listed', 'created', 'updated', 'missing', 'restored', 'errors']
    .map((name) => `${String(run[name])} ${name}`)
    .join(', ');
  const notes = findings.map((/** @type {any} */ { code, message }) =>
    element('p', { class: 'fair' }, `${code}: ${message}`),
  );
  const why =
    lastError === null ? [] : [element('p', { class: 'bad' }, `${lastError.code}: ${lastError.message}`)];
  return element(
    'div',
    { class: 'small' },
    element(
      'p',
      {},
      element('strong', { class: looks[result] ?? '' }, result ?? 'running'),
      ` ${mode} (${kind}), `,
      timeOf(startedAt),
    ),
    ...(waitingUntil === null
      ? []
      : [element('p', { class: 'fair' }, 'Waiting until ', timeOf(waitingUntil))]),
    element('p', {}, counts),
    ...notes,
    ...why,
  );
}

/** @param {string} mode */
export async function startSync(mode) {
  say('sync-state', 'Requesting …');
  try {
    const { alreadyRunning } = await call(`/api/media/sync-cloudinary?mode=${encodeURIComponent(mode)}`, {
      method: 'POST',
    });
    say('sync-state', alreadyRunning ? 'Starts after the current sync.' : 'Started.');
  } catch (error) {
    say('sync-state', error instanceof Error ? error.message : String(error), 'bad');
  }
}
