import type { RedisClient } from '../redis/index.js';

/** Ends the connections whose line in CLIENT LIST has these words, as a cut link would; the number of them. */
export async function cutClients(client: RedisClient, words: string): Promise<number> {
  const lines = String(await client.client('LIST')).split('\n');
  const ids = lines.filter((line) => line.includes(words)).map((line) => /^id=(\d+)/.exec(line)?.[1] ?? '');
  for (const id of ids) await client.client('KILL', 'ID', id);
  return ids.length;
}
