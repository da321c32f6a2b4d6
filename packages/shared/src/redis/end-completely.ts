import { Cluster, type Redis } from 'ioredis';

/** What ioredis keeps to itself. */
interface Inside {
  /** Set while the client waits for its next try to connect. */
  reconnectTimeout?: NodeJS.Timeout | null;
  /** What a lost connection did not answer, to be sent again on the next one. */
  prevCommandQueue?: { shift(): { command: { reject(error: Error): void } } | undefined } | null;
  /** Of a Cluster: ends a client that was disconnected. */
  handleCloseEvent?(): void;
}

/**
 * Has a client end completely when it is disconnected on its way to the next connection. ioredis only forgets a try that it
 * waits for: no `end` follows, since no socket is left whose close could tell. And what the last connection did not answer is
 * never answered, if the next one ends before it was ready. BullMQ's close of a worker waits for both. Clients made of this
 * one are given the same.
 */
export function endCompletely<Client extends Redis | Cluster>(client: Client): Client {
  const inside = client as unknown as Inside;
  const disconnect = client.disconnect.bind(client);
  client.disconnect = (reconnect = false) => {
    const waits = !reconnect && (inside.reconnectTimeout ?? null) !== null;
    // A Cluster that is told so while it looks up its nodes is the same: it has no connection yet.
    const looksUp =
      client instanceof Cluster && client.status === 'connecting' && client.nodes().length === 0;
    disconnect(reconnect);
    if (!waits && !looksUp) return;
    if (inside.handleCloseEvent !== undefined) {
      inside.handleCloseEvent();
      return;
    }
    // What was never connected is ended at once.
    client.status = 'wait';
    disconnect();
  };
  client.on('end', () => {
    const unanswered = inside.prevCommandQueue;
    for (let item = unanswered?.shift(); item !== undefined; item = unanswered?.shift())
      item.command.reject(new Error('Connection is closed.'));
  });
  const duplicate = client.duplicate.bind(client) as (...args: unknown[]) => Client;
  client.duplicate = ((...args: unknown[]) => endCompletely(duplicate(...args))) as Client['duplicate'];
  return client;
}
