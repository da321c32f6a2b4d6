import { askForKey, keyHeaders } from './api-key.js';
import { call, Refusal } from './call.js';
import { byId, say } from './elements.js';

const LOOK_EVERY_MS = 500;
/** If no worker verifies a file within 10 seconds, the form is free for the next one. */
const GIVE_UP_MS = 10_000;

/**
 * The key of a form that has no answer yet, however often it was sent: a lost answer may have been a success.
 * @type {{ form: string, key: string } | null}
 */
let unanswered = null;

/** @param {FormData} body */
function keyFor(body) {
  const form = JSON.stringify([...body].map(([name, value]) => [name, describe(value)]));
  if (unanswered?.form !== form) unanswered = { form, key: randomKey() };
  return unanswered.key;
}

/** @param {FormDataEntryValue} value */
const describe = (value) =>
  typeof value === 'string' ? value : [value.name, value.size, value.lastModified];

/** Sends the form, shows its progress, and waits until the file is verified. @param {HTMLFormElement} form */
export async function uploadFrom(form) {
  const progress = byId('upload-progress', HTMLProgressElement);
  const body = new FormData(form);
  const idempotencyKey = keyFor(body);
  progress.hidden = false;
  try {
    say('upload-state', 'Uploading …');
    const { media } = await send(body, idempotencyKey, (share) => {
      progress.value = share;
    });
    say('upload-state', `Accepted as ${media.id}: it is permanent. Verifying …`);
    const { status, lastError } = await settled(media);
    const why = lastError === null ? '' : ` (${lastError.code})`;
    say(
      'upload-state',
      status === 'verified' ? `Verified: ${media.id}` : `${media.id} is ${status}${why}. Nothing is lost.`,
      status === 'verified' ? 'good' : 'fair',
    );
    form.reset();
  } catch (error) {
    say('upload-state', error instanceof Error ? error.message : String(error), 'bad');
  } finally {
    progress.hidden = true;
    progress.value = 0;
  }
}

/**
 * With XMLHttpRequest, since fetch does not report how much was sent.
 * @param {FormData} body
 * @param {string} idempotencyKey
 * @param {(share: number) => void} onProgress
 * @returns {Promise<any>}
 */
async function send(body, idempotencyKey, onProgress) {
  const request = new XMLHttpRequest();
  request.open('POST', '/api/media/upload');
  request.responseType = 'json';
  const headers = { ...keyHeaders(), 'Idempotency-Key': idempotencyKey };
  for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
  request.upload.addEventListener('progress', ({ loaded, total }) =>
    onProgress(total === 0 ? 0 : loaded / total),
  );
  await new Promise((resolve, reject) => {
    request.addEventListener('load', resolve);
    request.addEventListener('error', () => reject(new Error('The connection was lost. Try again.')));
    request.send(body);
  });
  if (request.status === 401 && (await askForKey())) return send(body, idempotencyKey, onProgress);
  // Refused for good: nothing of it is left. On 409 another attempt is in progress.
  if (request.status < 500 && request.status !== 409) unanswered = null;
  if (request.status < 200 || request.status > 299) throw new Refusal(request.status, request.response ?? {});
  return request.response;
}

/** The record once it is settled, or after the time limit. @param {any} media */
async function settled(media) {
  const until = performance.now() + GIVE_UP_MS;
  let latest = media;
  while (['saving', 'deferred'].includes(latest.status) && performance.now() < until) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    // A failed request changes nothing: the file stays permanent.
    latest = await call(`/api/media/${encodeURIComponent(media.id)}`).catch(() => latest);
  }
  return latest;
}

/** Not crypto.randomUUID: that is missing on pages without TLS. */
function randomKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))]
    .map((byte) => byte.toString(16).padStart(2, '0'))
    .join('');
}
