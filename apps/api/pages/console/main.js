import { forgetKey, hasKey, mayAskAgain } from './api-key.js';
import { Refusal } from './call.js';
import { byId, say } from './elements.js';
import { showMedia, showMore } from './media.js';
import { showCounts, showHealth } from './status.js';
import { showRuns, startSync } from './sync.js';
import { uploadFrom } from './upload.js';

const SELDOM_MS = 10_000;
const OFTEN_MS = 2_000;
/** A requested run may have to wait for another one before it shows. */
const AWAITED_MS = 60_000;

/** Runs one part; an error is shown at the top, and the other parts carry on. @param {() => Promise<unknown>} work */
async function part(work) {
  try {
    return await work();
  } catch (error) {
    const problem = byId('problem', HTMLElement);
    problem.hidden = false;
    problem.textContent = inWords(error);
    if (error instanceof Refusal && error.status === 401) byId('give-key', HTMLButtonElement).hidden = false;
    return null;
  }
}

/** @param {unknown} error */
function inWords(error) {
  if (error instanceof Refusal && error.status === 401) return 'Some sections need an API key.';
  return error instanceof Error ? error.message : String(error);
}

/** @param {HTMLFormElement} form @param {() => Promise<unknown>} work */
function onSubmit(form, work) {
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const button = form.querySelector('button');
    if (button) button.disabled = true;
    mayAskAgain();
    const done = async () => {
      await part(work);
      if (button) button.disabled = false;
      await refresh();
    };
    void done();
  });
}

/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;
let awaitedUntil = 0;

async function refresh() {
  clearTimeout(timer);
  byId('problem', HTMLElement).hidden = true;
  byId('give-key', HTMLButtonElement).hidden = true;
  const isSeen = document.visibilityState === 'visible';
  const [running, rebuilding] = isSeen
    ? await Promise.all([part(showRuns), part(showMedia), part(showHealth), part(showCounts)])
    : [false, false];
  // Redis may be healthy again while most of the catalog is still missing.
  if (rebuilding === true) say('health', 'refilling', 'fair');
  byId('forget-key', HTMLButtonElement).hidden = !hasKey();
  clearTimeout(timer);
  const isOften = running === true || rebuilding === true || Date.now() < awaitedUntil;
  timer = setTimeout(() => void refresh(), isOften ? OFTEN_MS : SELDOM_MS);
}

const upload = byId('upload', HTMLFormElement);
const sync = byId('sync', HTMLFormElement);
onSubmit(upload, () => uploadFrom(upload));
onSubmit(sync, () => {
  awaitedUntil = Date.now() + AWAITED_MS;
  return startSync(byId('sync-mode', HTMLSelectElement).value);
});
byId('more', HTMLButtonElement).addEventListener('click', () => void part(showMore));
byId('give-key', HTMLButtonElement).addEventListener('click', () => {
  mayAskAgain();
  void refresh();
});
byId('forget-key', HTMLButtonElement).addEventListener('click', () => {
  forgetKey();
  location.reload();
});
document.addEventListener('visibilitychange', () => void refresh());
say('health', 'Checking …');
void refresh();
