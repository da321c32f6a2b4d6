import { scriptEdge, type RedisClient, type RedisKeys } from '../redis/index.js';
import { sizesScript } from './index-scripts.js';

/** How many entries these indexes have, in one step. Throws CATALOG_UNAVAILABLE. */
export async function indexSizes(
  redis: RedisClient,
  keys: RedisKeys,
  indexes: readonly string[],
): Promise<number[]> {
  if (indexes.length === 0) return [];
  const run = scriptEdge(redis, keys, 'CATALOG_UNAVAILABLE');
  return (await run(sizesScript, indexes)) as number[];
}

export function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, next) => total + next, 0);
}
