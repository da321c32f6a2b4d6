import { isUnnamed, readServingSettings, unreadSettings } from '@holdfast/foundation/config';
import { placeOf } from '@holdfast/shared/durability';
import { table, type Command } from './run-command.js';

/** Rejects with CONFIG_INVALID and all problems. */
export const checkConfig: Command = {
  summary: 'read the settings as the processes do, report every problem, connect to nothing',
  run: (env) => {
    const { host, redis, access, sync, dataDir } = readServingSettings(env);
    const { connection } = redis;
    const unread = unreadSettings(env);
    const report = {
      host: host.kind,
      ...(host.kind === 'cloudinary'
        ? { cloudName: host.cloudName, webhookSecrets: host.webhookSecrets.length }
        : {}),
      folder: host.folder,
      redis: isUnnamed(redis) ? 'embedded, or on this machine' : placeOf(connection),
      tls: 'tls' in connection && connection.tls,
      dataDir,
      keys: access.keys.length,
      syncEveryMinutes: sync.intervalMinutes,
      snapshots: sync.snapshots,
    };
    const rows = Object.entries(report).map(([name, value]) => [name, String(value)] as const);
    const slips = unread.map(({ name, meant }) => `  ${name} is not a setting; did you mean ${meant}?\n`);
    return Promise.resolve({
      exitCode: 0,
      report: { configuration: 'valid', ...report, unread },
      text: `The configuration is valid.\n${table(rows)}${slips.join('')}`,
    });
  },
};
