interface Reconnectable {
  status: string;
  disconnect(reconnect: boolean): void;
}

/**
 * Makes the connection anew; commands in flight fail or are sent again, as its role says. A client that is looking for a
 * connection already is left alone: to interrupt a search for the master would end an ioredis client for good.
 */
export function reconnectRedis(client: Reconnectable): void {
  if (client.status === 'ready' || client.status === 'connect') client.disconnect(true);
}
