import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Environment, Settings } from '@holdfast/foundation/config';
import type { Finding, Severity } from './server-findings.js';

/** Platforms that empty disks at each restart, by a variable that only they set. On Heroku no disk survives. */
const platforms: Readonly<Record<string, string>> = {
  DYNO: 'Heroku',
  RENDER: 'Render',
  FLY_APP_NAME: 'Fly.io',
  RAILWAY_ENVIRONMENT: 'Railway',
  K_SERVICE: 'Cloud Run',
};

/** As Linux numbers them (statfs(2)): in memory, and the layers of a container. */
const fileSystems: Readonly<Record<number, 'memory' | 'layers'>> = {
  0x01021994: 'memory',
  0x858458f6: 'memory',
  0x794c7630: 'layers',
};

/** EPHEMERAL_DISK where files that must stay lie on a disk that goes with the process. */
export async function ephemeralDiskFindings(
  settings: Pick<Settings, 'dataDir' | 'redis' | 'host'>,
  env: Environment,
): Promise<Finding[]> {
  const kept = [
    ...(settings.redis.external ? [] : ['the catalog']),
    ...(settings.host.kind === 'local' ? ['the files'] : []),
  ];
  return kept.length === 0 ? [] : judgeDisk(kept.join(' and '), env, await fileSystemOf(settings.dataDir));
}

/** Undefined where it is another, or unknown. Of a folder that is not there, that of the one which would hold it. */
export async function fileSystemOf(path: string): Promise<'memory' | 'layers' | undefined> {
  const stats = await statfs(path).catch(() => null);
  if (stats !== null) return fileSystems[stats.type];
  return dirname(path) === path ? undefined : fileSystemOf(dirname(path));
}

export function judgeDisk(
  kept: string,
  env: Environment,
  fileSystem: 'memory' | 'layers' | undefined,
): Finding[] {
  const [variable] = Object.keys(platforms).filter((name) => env[name] !== undefined);
  const gone = `${kept} will be gone`;
  const fix = 'Connect a Redis and a Cloudinary account, or mount a disk that stays and set DATA_DIR to it.';
  const found = (severity: Severity, message: string) => [{ code: 'EPHEMERAL_DISK', severity, message, fix }];
  if (fileSystem === 'memory')
    return found('warning', `The data folder is in memory: ${gone} after a restart of the machine.`);
  if (variable !== undefined && (fileSystem === 'layers' || variable === 'DYNO'))
    return found('warning', `${platforms[variable] ?? ''} empties this disk at each restart: ${gone}.`);
  if (fileSystem !== 'layers') return [];
  return found('notice', `The data folder is inside a container: ${gone} when the container is replaced.`);
}
