import { readServingSettings, unreadSettings } from '@holdfast/shared/config';
import type { Command } from './command.js';

/** Reads the settings as the processes do, and reaches for nothing. Rejects with CONFIG_INVALID and all problems. */
export const checkConfig: Command = (env) => {
  const settings = readServingSettings(env);
  const { host, redis, access, sync, dataDir } = settings;
  return Promise.resolve({
    exitCode: 0,
    report: {
      configuration: 'valid',
      host: host.kind,
      folder: host.folder,
      redis: redis.external ? redis.storageType : 'Embedded Redis, or one on this machine',
      dataDir,
      keys: access.keys.length,
      syncEveryMinutes: sync.intervalMinutes,
      snapshots: sync.snapshots,
      unread: unreadSettings(env),
    },
  });
};
