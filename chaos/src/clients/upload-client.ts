import { setTimeout as pause } from 'node:timers/promises';
import type { History, UploadOperation } from '../history.js';
import type { Random } from '@holdfast/shared/testing';
import { pngBody, sha256Of } from './body.js';
import { callApi, describeReply, type Reply } from './call-api.js';
import type { Media } from './media.js';

export interface ClientOptions {
  name: string;
  history: History;
  random: Random;
  /** Addresses of the APIs. */
  apis: readonly string[];
  /** Between two operations, at most. */
  idleMs: number;
  stopping: AbortSignal;
}

export interface UploadClientOptions extends ClientOptions {
  onUploaded: (id: string) => void;
}

const UPLOAD_TIMEOUT_MS = 40_000;
const TRIES = 12;

/** Uploads one file after the other, and trusts nothing but the answers. */
export async function runUploadClient(options: UploadClientOptions): Promise<void> {
  const { name, history, random, idleMs, stopping } = options;
  for (let number = 1; !stopping.aborted; number += 1) {
    const label = `${name}/${String(number)}/${String(random.whole(0, 0xffff_ffff))}`;
    const data = pngBody(label, sizeOf(random));
    const operation = history.begin<UploadOperation>({
      kind: 'upload',
      client: name,
      sha256: sha256Of(data),
      bytes: data.length,
      id: null,
      deferred: false,
      fields: {
        title: label,
        description: random.chance(0.3) ? `described by ${label} – ä€😀\r\n=|` : '',
        category: random.pick(['', 'nature', 'city & sea']),
        tags: random.pick([[], ['sea'], ['sea', 'täg two']]),
        filename: `${String(number)}.png`,
      },
    });
    await upload(options, operation, data);
    await pause(random.whole(0, operation.outcome === 'ok' ? idleMs : 4 * idleMs));
  }
}

const sizeOf = (random: Random): number => {
  const kind = random.next();
  if (kind < 0.8) return random.whole(500, 20_000);
  return kind < 0.95 ? random.whole(20_000, 260_000) : random.whole(270_000, 1_100_000);
};

async function upload(options: UploadClientOptions, operation: UploadOperation, data: Buffer): Promise<void> {
  const { history, random, apis, stopping } = options;
  const headers: Record<string, string> = { 'Idempotency-Key': operation.fields.title };
  if (random.chance(0.3))
    headers['Repr-Digest'] = `sha-256=:${Buffer.from(operation.sha256, 'hex').toString('base64')}:`;
  const fieldsFirst = random.chance(0.5);
  let open = false;
  let last = '';
  for (let tries = 0; tries < TRIES; tries += 1) {
    const reply = await callApi(
      `${random.pick(apis)}/api/media/upload`,
      { method: 'POST', headers, body: formOf(operation, data, fieldsFirst) },
      UPLOAD_TIMEOUT_MS,
    );
    last = describeReply(reply);
    if (reply.kind === 'answer' && reply.status < 300) {
      const media = reply.body.media as Media;
      history.end(operation, 'ok', last, { id: media.id, deferred: media.status === 'deferred' });
      options.onUploaded(media.id);
      return;
    }
    // An answer that refuses is final for this try; an earlier try without an answer stays open.
    if (reply.kind === 'open') open = true;
    if (stopping.aborted || isFinal(reply)) break;
    await pause(random.whole(200, 2_000));
  }
  history.end(operation, open ? 'info' : 'fail', last);
}

/** A clear no. An earlier try that still runs (409) and trouble on the other side may be tried again. */
const isFinal = (reply: Reply): boolean =>
  reply.kind === 'answer' && reply.status < 500 && reply.status !== 409 && reply.status !== 429;

function formOf({ fields }: UploadOperation, data: Buffer, fieldsFirst: boolean): FormData {
  const form = new FormData();
  const setFields = (): void => {
    form.set('title', fields.title);
    form.set('description', fields.description);
    form.set('category', fields.category);
    for (const tag of fields.tags) form.append('tags', tag);
  };
  if (fieldsFirst) setFields();
  form.set('file', new Blob([new Uint8Array(data)], { type: 'image/png' }), fields.filename);
  if (!fieldsFirst) setFields();
  return form;
}
