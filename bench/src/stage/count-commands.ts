import { Redis } from 'ioredis';
import type { RedisSandbox } from '@holdfast/shared/testing';

export interface Commands {
  /** As clients sent them. */
  sent: number;
  /** As INFO counts them: those inside scripts too. */
  counted: number;
  /** How often each was sent, by name. */
  byName: Record<string, number>;
}

/** Counts what reaches a server while `work` goes on, without what the counting itself sends. */
export async function countCommands(redis: RedisSandbox, work: () => Promise<unknown>): Promise<Commands> {
  const byName: Record<string, number> = {};
  let sent = 0;
  // `monitor` opens a connection of its own beside this one.
  const opener = new Redis(redis.url, { maxRetriesPerRequest: null });
  const watcher = await opener.monitor();
  opener.disconnect();
  watcher.on('monitor', (_time: string, [name = '']: string[], source: string) => {
    const word = name.toLowerCase();
    if (source === 'lua' || word === 'info') return;
    sent += 1;
    byName[word] = (byName[word] ?? 0) + 1;
  });
  try {
    const before = await processed(redis);
    await work();
    // The second INFO does not count itself yet, the first one does.
    const counted = (await processed(redis)) - before - 1;
    return { sent, counted, byName };
  } finally {
    watcher.disconnect();
  }
}

async function processed(redis: RedisSandbox): Promise<number> {
  const info = await redis.client.info('stats');
  return Number(/^total_commands_processed:(\d+)/m.exec(info)?.[1]);
}
