import { Cluster } from 'ioredis';
import type { RedisClient } from '../redis/index.js';

/**
 * Gives the server the scripts again that BullMQ has defined on this connection. ioredis believes per socket that they
 * are loaded and cannot repair that inside a transaction; a new socket would cost the commands in flight their answers.
 */
export async function reloadScripts(client: RedisClient): Promise<void> {
  const texts = Object.values(client.scriptsSet as Record<string, { lua: string }>).map(({ lua }) => lua);
  const nodes = client instanceof Cluster ? client.nodes('master') : [client];
  await Promise.all(nodes.flatMap((node) => texts.map((text) => node.script('LOAD', text))));
}
