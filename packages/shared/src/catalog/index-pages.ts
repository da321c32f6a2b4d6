import { fromRedisError, type RedisClient, type RedisKeys } from '../redis/index.js';
import { pageScript } from './index-scripts.js';
import { byCreation, type ListOrder, type Position } from './list-cursor.js';

/**
 * The next `count` positions of some indexes taken together, after the given one, in the order of creation. The cost does
 * not depend on the size of the indexes. Throws CATALOG_UNAVAILABLE.
 */
export async function pageAfter(
  redis: RedisClient,
  keys: RedisKeys,
  indexes: readonly string[],
  { order, after, count }: { order: ListOrder; after: Position | null; count: number },
): Promise<Position[]> {
  try {
    const args = [order === 'newest' ? '1' : '0', after?.createdMs ?? 0, after?.id ?? '', count];
    const pages = (await Promise.all(
      indexes.map((key) => pageScript(redis, [keys.prefix, key], args)),
    )) as string[][];
    return pages.flatMap(toPositions).toSorted(byCreation(order)).slice(0, count);
  } catch (error) {
    throw fromRedisError(error, 'CATALOG_UNAVAILABLE');
  }
}

function toPositions(flat: readonly string[]): Position[] {
  const positions: Position[] = [];
  for (let index = 0; index + 1 < flat.length; index += 2) {
    positions.push({ id: flat[index] ?? '', createdMs: Number(flat[index + 1]) });
  }
  return positions;
}
