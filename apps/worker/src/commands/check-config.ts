import {
  isUnnamed,
  readServingSettings,
  unreadSettings,
  type RedisConnection,
  type RedisSettings,
} from '@holdfast/foundation/config';
import { table, type Command } from './run-command.js';

/** Rejects with CONFIG_INVALID and all problems. */
export const checkConfig: Command = {
  summary: 'read the settings as the processes do, report every problem, connect to nothing',
  run: (env) => {
    const { host, redis, access, sync, dataDir } = readServingSettings(env);
    const unread = unreadSettings(env);
    const report = {
      host: host.kind,
      ...(host.kind === 'cloudinary'
        ? { cloudName: host.cloudName, webhookSecrets: host.webhookSecrets.length }
        : {}),
      folder: host.folder,
      redis: describeRedis(redis),
      dataDir,
      keys: access.keys.length,
      syncEveryMinutes: sync.intervalMinutes,
      snapshots: sync.snapshots,
    };
    const rows = Object.entries(report).map(
      ([name, value]) =>
        [name, typeof value === 'object' ? Object.values(value).join(', ') : String(value)] as const,
    );
    const slips = unread.map(({ name, meant }) => `  ${name} is not a setting; did you mean ${meant}?\n`);
    return Promise.resolve({
      exitCode: 0,
      report: { configuration: 'valid', ...report, unread },
      text: `The configuration is valid.\n${table(rows)}${slips.join('')}`,
    });
  },
};

/** Which Redis and how it is reached, without its login. */
function describeRedis(redis: RedisSettings): Record<string, string> {
  if (isUnnamed(redis)) return { type: 'Embedded Redis, or one on this machine' };
  const { connection } = redis;
  return {
    type: redis.storageType,
    address: addressOf(connection),
    tls: tlsOf(connection),
    profile: redis.profile ?? 'detected at the start',
  };
}

function addressOf(connection: RedisConnection): string {
  switch (connection.kind) {
    case 'socket':
      return connection.path;
    case 'single':
      return `${hostAndPort(connection)}/${String(connection.database)}`;
    case 'sentinel':
      return `${connection.masterName} by ${connection.sentinels.map(hostAndPort).join(' ')}`;
    case 'cluster':
      return connection.nodes.map(hostAndPort).join(' ');
  }
}

function hostAndPort({ host, port }: { host: string; port: number }): string {
  return `${host.includes(':') ? `[${host}]` : host}:${String(port)}`;
}

function tlsOf(connection: RedisConnection): string {
  if (connection.kind === 'socket' || !connection.tls) return 'no TLS';
  if (connection.verifiesCertificate === false) return 'TLS, certificate not verified';
  return connection.ca === undefined ? 'TLS' : 'TLS with REDIS_TLS_CA';
}
