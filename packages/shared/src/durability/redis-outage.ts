import {
  isUnnamed,
  type RedisConnection,
  type RedisNode,
  type RedisSettings,
} from '@holdfast/foundation/config';
import { redisFault } from '../redis/index.js';

/** Why a Redis does not serve: for health, and for `doctor`. */
export interface RedisOutage {
  /** Names the server, never with a login. */
  place: string;
  /** To follow on the server's name. */
  why: string;
  fix: string;
}

/** `error`: what the connection met last; undefined where there was only silence. */
export function redisOutage(settings: RedisSettings, error: unknown): RedisOutage {
  const { why, fix } = redisFault(error ?? new Error('Command timed out'));
  return {
    place: placeOf(settings.connection),
    why,
    fix: isUnnamed(settings) ? `${fix} No Redis is named: set REDIS_URL.` : fix,
  };
}

/** Never with a login. */
export function placeOf(connection: RedisConnection): string {
  switch (connection.kind) {
    case 'single':
      return `Redis at ${addressOf(connection)}`;
    case 'socket':
      return 'Redis at its socket';
    case 'sentinel':
      return `Redis "${connection.masterName}" of the sentinels ${connection.sentinels.map(addressOf).join(', ')}`;
    case 'cluster':
      return `The Redis Cluster of ${connection.nodes.map(addressOf).join(', ')}`;
  }
}

function addressOf({ host, port }: RedisNode): string {
  return `${host.includes(':') ? `[${host}]` : host}:${String(port)}`;
}
