import { profileOfClient, type RedisClient } from './connect-redis.js';

/**
 * Cuts what a command is to carry into parts that this server takes: by their bytes, and by their number, which bounds what a
 * script has to do and what a reply may come to. An item that is too large goes alone. Mostly there is one part.
 */
export function inRequests<Item>(
  redis: RedisClient,
  items: readonly Item[],
  bytesOf: (item: Item) => number = () => 0,
): (readonly Item[])[] {
  const { requestBytes, recordsAtOnce } = profileOfClient(redis);
  const parts: (readonly Item[])[] = [];
  let from = 0;
  let bytes = 0;
  for (const [at, item] of items.entries()) {
    const more = bytesOf(item);
    if (at > from && (bytes + more > requestBytes || at - from >= recordsAtOnce)) {
      parts.push(items.slice(from, at));
      from = at;
      bytes = 0;
    }
    bytes += more;
  }
  if (items.length > from) parts.push(from === 0 ? items : items.slice(from));
  return parts;
}
