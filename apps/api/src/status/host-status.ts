import type { HostHealth, MediaHost } from '@holdfast/shared/media-host';
import { withinMs } from '@holdfast/shared/lifecycle';

export interface HostStatus extends HostHealth {
  type: MediaHost['kind'];
  /** Local disk only, null elsewhere. */
  freeBytes: number | null;
}

const PATIENCE_MS = 600;

/** What recent calls to the host showed. Makes no call. */
export async function hostStatus(
  host: Pick<MediaHost, 'kind' | 'health' | 'freeBytes'>,
): Promise<HostStatus> {
  const freeBytes = await withinMs(PATIENCE_MS, host.freeBytes(), null).catch(() => null);
  return { type: host.kind, ...host.health(), freeBytes };
}
