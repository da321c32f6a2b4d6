import { readFile } from 'node:fs/promises';
import type { Environment, Settings } from '@holdfast/foundation/config';
import type { Finding } from './server-findings.js';

/** Platforms that empty disks at each restart, by a variable that only they set. On Heroku no disk survives. */
const platforms: Readonly<Record<string, string>> = {
  DYNO: 'Heroku',
  RENDER: 'Render',
  FLY_APP_NAME: 'Fly.io',
  RAILWAY_ENVIRONMENT: 'Railway',
  K_SERVICE: 'Cloud Run',
};

/** EPHEMERAL_DISK where files that must stay lie on a disk that goes with the process. */
export async function ephemeralDiskFinding(
  settings: Pick<Settings, 'dataDir' | 'redis' | 'host'>,
  env: Environment,
): Promise<Finding | null> {
  const kept = [
    ...(settings.redis.external ? [] : ['the catalog']),
    ...(settings.host.kind === 'local' ? ['the files'] : []),
  ];
  if (kept.length === 0) return null;
  const mounts = await readFile('/proc/self/mountinfo', 'utf8').catch(() => '');
  return judgeDisk(kept.join(' and '), env, fileSystemOf(mounts, settings.dataDir));
}

/** `fileSystem` is its type as the kernel names it, null where that is unknown. */
export function judgeDisk(kept: string, env: Environment, fileSystem: string | null): Finding | null {
  const isLayer = fileSystem === 'overlay';
  const [platform] = Object.keys(platforms).filter((name) => env[name] !== undefined);
  const finding = (severity: Finding['severity'], message: string): Finding => ({
    code: 'EPHEMERAL_DISK',
    severity,
    message,
    fix: 'Connect a Redis and a Cloudinary account, or mount a disk that stays and set DATA_DIR to it.',
  });
  if (fileSystem === 'tmpfs' || fileSystem === 'ramfs')
    return finding(
      'warning',
      `The data folder is in memory: ${kept} will be gone after a restart of the machine.`,
    );
  if (platform !== undefined && (isLayer || platform === 'DYNO'))
    return finding(
      'warning',
      `${platforms[platform] ?? ''} empties this disk at each restart: ${kept} will be gone.`,
    );
  return isLayer
    ? finding(
        'notice',
        `The data folder is inside a container: ${kept} will be gone when the container is replaced.`,
      )
    : null;
}

/** Type of the file system that holds the path, from the text of /proc/self/mountinfo. */
export function fileSystemOf(mountinfo: string, path: string): string | null {
  const mounts = mountinfo.split('\n').map((line) => {
    const [before = '', after = ''] = line.split(' - ');
    const [type = ''] = after.split(' ');
    return { point: (before.split(' ')[4] ?? '').replaceAll('\\040', ' '), type };
  });
  const covering = mounts.filter(
    ({ point }) => point !== '' && (point === '/' || path === point || path.startsWith(`${point}/`)),
  );
  // The longest one holds it; of two at the same place the later one.
  return covering.toSorted((a, b) => a.point.length - b.point.length).at(-1)?.type ?? null;
}
