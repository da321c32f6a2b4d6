/**
 * Uploads one file and waits until it is verified:
 *
 *   HOLDFAST_KEY=<secret of a write key> node examples/upload.mjs photo.png "First photo"
 *
 * HOLDFAST_URL is the address of the API (http://127.0.0.1:3000); HOLDFAST_KEY may be missing where the API has no keys.
 */
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

const { HOLDFAST_URL = 'http://127.0.0.1:3000', HOLDFAST_KEY } = process.env;
const keyHeader = HOLDFAST_KEY === undefined ? {} : { Authorization: `Bearer ${HOLDFAST_KEY}` };
const TRIES = 5;
const VERIFIED_WITHIN_MS = 60_000;

const [, , file, title = ''] = process.argv;
if (file === undefined) {
  process.stderr.write('node examples/upload.mjs <file> [title]\n');
  process.exit(2);
}
const media = await untilVerified(await upload());
process.stdout.write(`${media.status}: ${media.id} ${media.url}\n`);

/** Sends it again after failures that pass: the same Idempotency-Key makes one file of all tries. */
async function upload() {
  const form = new FormData();
  form.set('title', title);
  form.set('file', new Blob([await readFile(file)]), basename(file));
  const headers = { ...keyHeader, 'Idempotency-Key': randomUUID(), Prefer: 'wait=10' };
  for (let attempt = 1; ; attempt += 1) {
    const answer = await fetch(`${HOLDFAST_URL}/api/media/upload`, {
      method: 'POST',
      headers,
      body: form,
    }).catch((error) => {
      if (attempt === TRIES) throw error;
      return null;
    });
    // 201: verified; 202: kept, not verified yet; 200: the answer to an earlier try.
    if (answer?.ok) return (await answer.json()).media;
    const mayPass = answer === null || answer.status === 429 || answer.status >= 500 || answer.status === 409;
    if (!mayPass || attempt === TRIES) throw new Error(await reasonOf(answer));
    await pause(1_000 * Number(answer?.headers.get('Retry-After') ?? attempt));
  }
}

async function untilVerified(uploaded) {
  const deadline = Date.now() + VERIFIED_WITHIN_MS;
  let latest = uploaded;
  while (latest.status !== 'verified' && Date.now() < deadline) {
    await pause(1_000);
    const answer = await fetch(`${HOLDFAST_URL}/api/media/${latest.id}`, { headers: keyHeader });
    // GET answers the record itself. While Redis is away it answers 503: the file is safe, ask again.
    if (answer.ok) latest = await answer.json();
    else if (answer.status !== 503) throw new Error(await reasonOf(answer));
  }
  return latest;
}

/** Every error is a problem document with a stable `code`: docs/errors.md. */
async function reasonOf(answer) {
  const { code, detail, errors = [] } = await answer.json().catch(() => ({}));
  const fields = errors.map(({ path, message }) => `${path} ${message}`);
  return [`${answer.status} ${code ?? ''}`, detail, ...fields].join('; ');
}
