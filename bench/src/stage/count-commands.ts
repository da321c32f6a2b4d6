import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import type { RedisSandbox } from '@holdfast/shared/testing';

export interface Commands {
  /** As clients sent them. */
  sent: number;
  /** As INFO counts them: those inside scripts too. */
  counted: number;
  /** How often each was sent, by name, without those that MONITOR does not show (CONFIG, CLIENT). */
  byName: Record<string, number>;
}

/** Counts what reaches a server while `work` runs, without what the counting itself sends. */
export async function countCommands(redis: RedisSandbox, work: () => Promise<unknown>): Promise<Commands> {
  const byName: Record<string, number> = {};
  let inside = 0;
  const end = randomUUID();
  let ended = (): void => undefined;
  const seen = new Promise<void>((resolve) => {
    ended = resolve;
  });
  // `monitor` opens a connection of its own beside this one.
  const opener = new Redis(redis.url, { maxRetriesPerRequest: null });
  const watcher = await opener.monitor();
  opener.disconnect();
  watcher.on('monitor', (_time: string, [name = '', operand]: string[], source: string) => {
    const word = name.toLowerCase();
    if (operand === end) ended();
    else if (source === 'lua') inside += 1;
    else if (word !== 'info') byName[word] = (byName[word] ?? 0) + 1;
  });
  try {
    const before = await processed(redis);
    await work();
    // The second INFO does not count itself yet, the first one does.
    const counted = (await processed(redis)) - before - 1;
    // What was counted has been shown by then.
    await redis.client.echo(end);
    await seen;
    return { sent: counted - inside, counted, byName };
  } finally {
    watcher.disconnect();
  }
}

async function processed(redis: RedisSandbox): Promise<number> {
  const info = await redis.client.info('stats');
  return Number(/^total_commands_processed:(\d+)/m.exec(info)?.[1]);
}
