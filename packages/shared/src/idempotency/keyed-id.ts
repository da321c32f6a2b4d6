import { createHash, createHmac } from 'node:crypto';
import { mediaIdFrom } from '../media/index.js';

/** Under which name a client's key is claimed, here and on the asset: 32 hex digits. */
export function claimKey(client: string, key: string): string {
  return createHash('sha256').update(`${client}\0${key}`).digest('hex').slice(0, 32);
}

/** The id of a first try at `now`. Nobody without the secret can tell the id from the key. */
export function keyedMediaId(secret: Uint8Array, client: string, key: string, now: number): string {
  return mediaIdFrom(now, createHmac('sha256', secret).update(`${client}\0${key}`).digest());
}
