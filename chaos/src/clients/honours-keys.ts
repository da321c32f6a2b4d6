import { pngBody } from './body.js';
import { callApi } from './call-api.js';
import type { Media } from './media.js';

/** Whether the API replays an upload under its Idempotency-Key. What is tried out is deleted again. */
export async function honoursKeys(api: string): Promise<boolean> {
  const form = new FormData();
  form.set('file', new Blob([new Uint8Array(pngBody('trial', 600))], { type: 'image/png' }), 'trial.png');
  const ids = new Set<string>();
  let replayed = false;
  for (let tries = 0; tries < 2; tries += 1) {
    const headers = { 'Idempotency-Key': 'chaos-trial' };
    const reply = await callApi(`${api}/api/media/upload`, { method: 'POST', headers, body: form }, 20_000);
    if (reply.kind !== 'answer' || reply.status >= 300)
      throw new Error(`an upload before all faults failed: ${JSON.stringify(reply)}`);
    ids.add((reply.body.media as Media).id);
    replayed = reply.headers.get('idempotent-replayed') === 'true';
  }
  for (const id of ids) await callApi(`${api}/api/media/${id}`, { method: 'DELETE' }, 20_000);
  return replayed && ids.size === 1;
}
