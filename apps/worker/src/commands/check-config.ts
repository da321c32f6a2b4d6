import { readServingSettings, unreadSettings } from '@holdfast/shared/config';
import type { Command } from './command.js';

/** Rejects with CONFIG_INVALID and all problems. */
export const checkConfig: Command = {
  summary: 'read the settings as the processes do, report every problem, connect to nothing',
  run: (env) => {
    const settings = readServingSettings(env);
    const { host, redis, access, sync, dataDir } = settings;
    const unread = unreadSettings(env);
    const report = {
      configuration: 'valid',
      host: host.kind,
      folder: host.folder,
      ...(host.kind === 'cloudinary'
        ? { cloudName: host.cloudName, webhookSecrets: host.webhookSecrets.length }
        : {}),
      redis: redis.external ? redis.storageType : 'Embedded Redis, or one on this machine',
      dataDir,
      keys: access.keys.length,
      syncEveryMinutes: sync.intervalMinutes,
      snapshots: sync.snapshots,
      unread,
    };
    const text = [
      'The configuration is valid.',
      `  host       ${report.host}${host.kind === 'cloudinary' ? ` ${host.cloudName}` : ''}, folder ${report.folder}`,
      ...(host.kind === 'cloudinary'
        ? [`  webhooks   ${String(host.webhookSecrets.length)} more secret(s)`]
        : []),
      `  Redis      ${report.redis}`,
      `  data       ${dataDir}`,
      `  keys       ${String(report.keys)}`,
      `  sync       ${report.syncEveryMinutes === 0 ? 'no schedule' : `every ${String(report.syncEveryMinutes)} minutes`}`,
      `  snapshots  ${report.snapshots ? 'on' : 'off'}`,
      ...unread.map(({ name, meant }) => `  ${name} is not a setting; did you mean ${meant}?`),
    ].join('\n');
    return Promise.resolve({ exitCode: 0, report, text });
  },
};
