import { setTimeout as pause } from 'node:timers/promises';
import type { DeleteOperation, EditOperation, ReadOperation } from '../history.js';
import { callApi, describeReply, type Reply } from './call-api.js';
import type { Media } from './media.js';
import type { ClientOptions } from './upload-client.js';

export interface EditClientOptions extends ClientOptions {
  /** Ids that were acknowledged; clients may work on the same one at the same time. */
  pool: string[];
}

const TIMEOUT_MS = 20_000;
/** Only the latest ones: where uploads, edits and deletions meet. */
const LATEST = 60;

/** Edits, deletes and reads media while others are uploaded. */
export async function runEditClient(options: EditClientOptions): Promise<void> {
  const { name, random, pool, idleMs, stopping } = options;
  for (let number = 1; !stopping.aborted; number += 1) {
    await pause(random.whole(0, idleMs));
    if (pool.length === 0) continue;
    const id = random.pick(pool.slice(-LATEST));
    const what = random.next();
    if (what < 0.55)
      await edit(options, id, `${name} ${String(number)} ü${String(random.whole(0, 0xffff_ffff))}`);
    else if (what < 0.63) await remove(options, id);
    else await read(options, id);
  }
}

async function edit(
  { name, history, random, apis }: EditClientOptions,
  id: string,
  value: string,
): Promise<void> {
  const field = random.pick(['title', 'description'] as const);
  const operation = history.begin<EditOperation>({
    kind: 'edit',
    client: name,
    id,
    field,
    value,
    soft: false,
  });
  const reply = await callApi(
    `${random.pick(apis)}/api/media/${id}`,
    {
      method: 'PATCH',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ [field]: value }),
    },
    TIMEOUT_MS,
  );
  history.end(operation, outcomeOf(reply), describeReply(reply), {
    soft: reply.kind === 'answer' && reply.status === 202,
  });
}

async function remove(options: EditClientOptions, id: string): Promise<void> {
  const { name, history, random, apis, pool } = options;
  const operation = history.begin<DeleteOperation>({ kind: 'delete', client: name, id, goneAt: Infinity });
  const reply = await callApi(`${random.pick(apis)}/api/media/${id}`, { method: 'DELETE' }, TIMEOUT_MS);
  history.end(operation, outcomeOf(reply), describeReply(reply));
  if (operation.outcome !== 'ok') return;
  const place = pool.indexOf(id);
  if (place >= 0) pool.splice(place, 1);
  const after = await read(options, id);
  if (after.outcome === 'ok' && after.found === null) operation.goneAt = after.returnedAt;
}

/** Notes what any API says about a media item. */
async function read(
  { name, history, random, apis }: Pick<EditClientOptions, 'name' | 'history' | 'random' | 'apis'>,
  id: string,
): Promise<ReadOperation> {
  const operation = history.begin<ReadOperation>({ kind: 'read', client: name, id, found: null });
  const reply = await callApi(`${random.pick(apis)}/api/media/${id}`, {}, TIMEOUT_MS);
  if (reply.kind === 'answer' && reply.status === 200) {
    const { title, description, status, revision, persistence } = reply.body as unknown as Media;
    const found = { title, description, status, revision, level: persistence.level };
    history.end(operation, 'ok', '200', { found });
  } else if (reply.kind === 'answer' && reply.status === 404) history.end(operation, 'ok', '404');
  else history.end(operation, 'fail', describeReply(reply));
  return operation;
}

/** A process that fails may have done it before: only a clear no is a no. */
function outcomeOf(reply: Reply): 'ok' | 'fail' | 'info' {
  if (reply.kind === 'unsent') return 'fail';
  if (reply.kind === 'open' || reply.status >= 500) return 'info';
  return reply.status < 300 ? 'ok' : 'fail';
}
