import { Cluster } from 'ioredis';
import type { Logger } from '@holdfast/foundation/logging';
import { closeRedis, type RedisClient, type RedisKeys } from '@holdfast/shared/redis';

/** Reports which records changed, in any process, while there are listeners. */
export interface RecordChanges {
  /**
   * Calls `onChange` with the id of each record that changed, or with null where any may have. One listener at a time. Returns
   * what ends it.
   */
  listen(onChange: (id: string | null) => void): () => void;
  /** While false, changes are not reported: Redis is away, or refuses to report them. */
  isLive(): boolean;
  close(): Promise<void>;
}

/** The connection stays open for so long after the last listener left: many clients follow one upload after the other. */
const LINGER_MS = 30_000;
/** The channel on which a Redis server reports what changed, under a protocol that has no messages but those of channels. */
const CHANNEL = '__redis__:invalidate';

/**
 * Has Redis report each change of a record (`CLIENT TRACKING`), over a connection that is open only while somebody listens:
 * nothing is written for it, and without listeners it costs nothing. A server that refuses, and a Cluster, whose nodes
 * report on their own keys only, never become live.
 */
export function createRecordChanges(
  connect: () => RedisClient,
  keys: Pick<RedisKeys, 'record'>,
  log: Logger,
): RecordChanges {
  const prefix = keys.record('');
  let onChange: ((id: string | null) => void) | undefined;
  let client: RedisClient | undefined;
  let live = false;
  let refused = false;
  let lingering: NodeJS.Timeout | undefined;

  const open = (): void => {
    const opened = connect();
    client = opened;
    opened.on('ready', () => void subscribe(opened));
    opened.on('close', () => {
      if (client !== opened || !live) return;
      live = false;
      // From now on nothing is reported.
      onChange?.(null);
    });
    opened.on('message', (_channel: string, changed: string) => {
      // A list of keys, joined by commas; empty where the server was emptied.
      const ids = changed.split(prefix).slice(1);
      if (ids.length === 0) onChange?.(null);
      for (const id of ids) onChange?.(id.replace(/,$/, ''));
    });
  };
  const subscribe = async (opened: RedisClient): Promise<void> => {
    try {
      if (opened instanceof Cluster) throw new Error('a Cluster client has no single connection');
      const ownId = String(await opened.call('CLIENT', 'ID'));
      // Before the subscription, after which this connection takes no other command.
      await opened.call('CLIENT', 'TRACKING', 'ON', 'BCAST', 'PREFIX', prefix, 'REDIRECT', ownId);
      await opened.subscribe(CHANNEL);
      if (client !== opened) return;
      live = true;
      // Nothing was reported until now.
      onChange?.(null);
    } catch (error) {
      if (client !== opened || opened.status !== 'ready') return;
      refused = true;
      log.info('events.polling', { error });
      void end();
    }
  };
  const end = async (): Promise<void> => {
    clearTimeout(lingering);
    const opened = client;
    client = undefined;
    live = false;
    if (opened !== undefined) await closeRedis(opened);
  };

  return {
    listen: (listener) => {
      onChange = listener;
      clearTimeout(lingering);
      if (client === undefined && !refused) open();
      return () => {
        onChange = undefined;
        lingering = setTimeout(() => void end(), LINGER_MS).unref();
      };
    },
    isLive: () => live,
    close: end,
  };
}
