import type { Cluster, Redis } from 'ioredis';

/**
 * Has a client never become ready in another database than it was told. ioredis says that SELECT was refused (no such
 * database, no right to it) and goes on in database 0, which may be somebody else's. Here the connection is given up, and made
 * anew as after any loss. Clients made of this one are given the same.
 */
export function insistOnDatabase<Client extends Redis | Cluster>(client: Client): Client {
  client.on('error', (error: Error & { command?: { name?: string } }) => {
    if (error.command?.name === 'select') client.disconnect(true);
  });
  const duplicate = client.duplicate.bind(client) as (...args: unknown[]) => Client;
  client.duplicate = ((...args: unknown[]) => insistOnDatabase(duplicate(...args))) as Client['duplicate'];
  return client;
}
