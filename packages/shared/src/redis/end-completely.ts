import type { Cluster, Redis } from 'ioredis';

/** Where ioredis keeps what a lost connection did not answer, to send it again on the next one. */
interface Unanswered {
  prevCommandQueue?: { shift(): { command: { reject(error: Error): void } } | undefined } | null;
}

/**
 * Has a client end completely when it is disconnected on its way to the next connection. ioredis only forgets a try that it
 * waits for: no `end` follows. And what the last connection did not answer is never answered, if the next one ends before it
 * was ready. BullMQ's close of a worker waits for both. Clients made of this one are given the same.
 */
export function endCompletely<Client extends Redis | Cluster>(client: Client): Client {
  const disconnect = client.disconnect.bind(client);
  client.disconnect = (reconnect = false) => {
    // In this state, which also has no socket whose close could tell, ioredis does all of it.
    if (client.status === 'reconnecting' && !reconnect) client.status = 'wait';
    disconnect(reconnect);
  };
  client.on('end', () => {
    const { prevCommandQueue } = client as Unanswered;
    for (let item = prevCommandQueue?.shift(); item !== undefined; item = prevCommandQueue?.shift())
      item.command.reject(new Error('Connection is closed.'));
  });
  const duplicate = client.duplicate.bind(client) as (...args: unknown[]) => Client;
  client.duplicate = ((...args: unknown[]) => endCompletely(duplicate(...args))) as Client['duplicate'];
  return client;
}
