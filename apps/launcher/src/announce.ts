import { setTimeout as delay } from 'node:timers/promises';
import type { Settings } from '@holdfast/shared/config';
import type { Logger } from '@holdfast/shared/logging';
import { redisFolder } from './embedded-redis/data-folder.js';

const POLL_MS = 100;
const GIVE_UP_MS = 60_000;

/** Prints where everything is once the API answers. Prints nothing when it is stopped before. */
export async function announce(
  settings: Pick<Settings, 'http' | 'dataDir' | 'redis'>,
  log: Logger,
  stopping: AbortSignal,
): Promise<void> {
  const address = browserAddress(settings.http);
  if (!(await answers(`${address}/livez`, stopping))) {
    if (!stopping.aborted) log.warn('api.not_answering', { address, waitedMs: GIVE_UP_MS });
    return;
  }
  const attention = await hostChanged(`${address}/api/media/health`, stopping);
  const redis = settings.redis.external
    ? settings.redis.storageType
    : `embedded, in ${redisFolder(settings.dataDir)}`;
  process.stdout.write(
    [
      '',
      'Holdfast is running.',
      `  Console     ${address}/`,
      `  API         ${address} (described at ${address}/docs)`,
      `  Bull Board  ${address}/admin/queues`,
      `  Data        ${settings.dataDir}`,
      `  Redis       ${redis}`,
      ...attention,
      'Ctrl-C stops it.',
      '',
      '',
    ].join('\n'),
  );
}

interface Health {
  storage: { findings: { code: string; message: string; fix: string }[] };
}

/** What health says of a catalog that belongs to another host: files are not served before somebody decides. */
async function hostChanged(url: string, stopping: AbortSignal): Promise<string[]> {
  try {
    const signal = AbortSignal.any([stopping, AbortSignal.timeout(2_000)]);
    const health = (await (await fetch(url, { signal })).json()) as Health;
    return health.storage.findings.flatMap(({ code, message, fix }) =>
      code === 'HOST_CHANGED' ? ['', `${code}: ${message}`, fix, ''] : [],
    );
  } catch {
    return [];
  }
}

/** The address that a browser on this machine can open: every-interface addresses are not one. */
export function browserAddress({ host, port }: Settings['http']): string {
  const anywhere = host === '0.0.0.0' || host === '::' || host === '';
  const name = anywhere ? 'localhost' : host.includes(':') ? `[${host}]` : host;
  return `http://${name}:${String(port)}`;
}

async function answers(url: string, stopping: AbortSignal): Promise<boolean> {
  const until = performance.now() + GIVE_UP_MS;
  while (!stopping.aborted && performance.now() < until) {
    const signal = AbortSignal.any([stopping, AbortSignal.timeout(2_000)]);
    const response = await fetch(url, { signal }).catch(() => undefined);
    await response?.body?.cancel().catch(() => undefined);
    // The API may answer while another part has refused to start.
    if (response?.ok === true && !stopping.aborted) return true;
    await delay(POLL_MS, undefined, { signal: stopping }).catch(() => undefined);
  }
  return false;
}
