import type { Settings } from '@holdfast/shared/config';
import type { HostHealth, MediaHost } from '@holdfast/shared/media-host';
import { withinMs } from '../within-ms.js';

export interface HostStatus extends HostHealth {
  type: MediaHost['kind'];
  /** The cloud's name, or the folder of the files. */
  place: string;
  /** Local disk only, null elsewhere. */
  freeBytes: number | null;
}

const PATIENCE_MS = 600;

/** What recent calls to the host showed. Makes no call. */
export async function hostStatus(
  host: Pick<MediaHost, 'kind' | 'health' | 'freeBytes'>,
  settings: Pick<Settings, 'host'>,
): Promise<HostStatus> {
  const freeBytes = await withinMs(PATIENCE_MS, host.freeBytes(), null).catch(() => null);
  const place = settings.host.kind === 'local' ? settings.host.directory : settings.host.cloudName;
  return { type: host.kind, place, ...host.health(), freeBytes };
}
