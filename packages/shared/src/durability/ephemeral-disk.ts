import { readFile } from 'node:fs/promises';
import type { Environment, Settings } from '@holdfast/foundation/config';
import type { Finding } from './server-findings.js';

interface Platform {
  name: string;
  /** Variables that only this platform sets. */
  variables: readonly string[];
  /** True where nothing on any disk survives a restart. */
  always: boolean;
}

const platforms: readonly Platform[] = [
  { name: 'Heroku', variables: ['DYNO'], always: true },
  { name: 'Render', variables: ['RENDER'], always: false },
  { name: 'Fly.io', variables: ['FLY_APP_NAME', 'FLY_MACHINE_ID'], always: false },
  { name: 'Railway', variables: ['RAILWAY_ENVIRONMENT', 'RAILWAY_ENVIRONMENT_ID'], always: false },
  { name: 'Cloud Run', variables: ['K_SERVICE'], always: false },
];

const FIX = 'Connect a Redis and a Cloudinary account, or mount a disk that stays and set DATA_DIR to it.';

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
  const finding = (severity: Finding['severity'], message: string): Finding => ({
    code: 'EPHEMERAL_DISK',
    severity,
    message,
    fix: FIX,
  });
  if (fileSystem === 'tmpfs' || fileSystem === 'ramfs')
    return finding(
      'warning',
      `The data folder is in memory: ${kept} will be gone after a restart of the machine.`,
    );
  const layer = fileSystem === 'overlay';
  const platform = platforms.find(({ variables }) => variables.some((name) => env[name] !== undefined));
  if (platform !== undefined && (platform.always || layer))
    return finding('warning', `${platform.name} empties this disk at each restart: ${kept} will be gone.`);
  return layer
    ? finding(
        'notice',
        `The data folder is inside a container: ${kept} will be gone when the container is replaced.`,
      )
    : null;
}

/** Type of the file system that holds the path, from the text of /proc/self/mountinfo. */
export function fileSystemOf(mountinfo: string, path: string): string | null {
  let best: { point: string; type: string } | null = null;
  for (const line of mountinfo.split('\n')) {
    const [before = '', after = ''] = line.split(' - ');
    const point = (before.split(' ')[4] ?? '').replaceAll('\\040', ' ');
    const [type = ''] = after.split(' ');
    const covers = point === '/' || path === point || path.startsWith(`${point}/`);
    if (point !== '' && type !== '' && covers && point.length >= (best?.point.length ?? 0))
      best = { point, type };
  }
  return best?.type ?? null;
}
