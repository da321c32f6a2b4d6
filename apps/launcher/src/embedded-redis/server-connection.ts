import { Redis } from 'ioredis';
import type { ServerAddress } from './server-address.js';

const RETRY_MS = 50;

/** A connection for the launcher's own checks. It goes on trying; commands wait until the server has loaded its data. */
export function connectToServer(address: ServerAddress): Redis {
  const client = new Redis({
    ...(address.kind === 'socket'
      ? { path: address.path }
      : { host: '127.0.0.1', port: address.port, password: address.password }),
    connectionName: 'holdfast-launcher',
    retryStrategy: () => RETRY_MS,
    maxRetriesPerRequest: null,
  });
  // Refused connections are expected while the server starts.
  client.on('error', () => undefined);
  return client;
}

/** One field of an INFO answer; undefined where the server does not tell. */
export function infoField(info: string, field: string): string | undefined {
  return new RegExp(`^${field}:(.*)$`, 'm').exec(info)?.[1]?.trim();
}
