import type { Cluster, Redis } from 'ioredis';

/**
 * Lets a client end that waits for its next try to connect. ioredis only forgets the try: no `end` follows, commands in the
 * queue are never answered, and BullMQ's close of a worker waits for both for ever. Clients made of this one are given the
 * same.
 */
export function endWhileWaiting<Client extends Redis | Cluster>(client: Client): Client {
  const disconnect = client.disconnect.bind(client);
  client.disconnect = (reconnect = false) => {
    // In this state, which also has no socket whose close could tell, ioredis does all of it.
    if (client.status === 'reconnecting' && !reconnect) client.status = 'wait';
    disconnect(reconnect);
  };
  const duplicate = client.duplicate.bind(client) as (...args: unknown[]) => Client;
  client.duplicate = ((...args: unknown[]) => endWhileWaiting(duplicate(...args))) as Client['duplicate'];
  return client;
}
