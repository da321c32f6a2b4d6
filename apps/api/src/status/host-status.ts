import type { Finding } from '@holdfast/shared/durability';
import type { HostHealth, MediaHost } from '@holdfast/shared/media-host';
import { withinMs } from '@holdfast/shared/lifecycle';

export interface HostStatus extends Omit<HostHealth, 'failing'> {
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
  const { failing: _failing, ...health } = host.health();
  return { type: host.kind, ...health, freeBytes };
}

/** That the host does not answer this process, or refuses its credentials: at most one finding. */
export function hostFindings(host: Pick<MediaHost, 'health'>): Finding[] {
  const { failing, lastErrorCode } = host.health();
  if (failing === null) return [];
  const { since, message, refusesCredentials } = failing;
  const what = refusesCredentials ? 'has refused our credentials' : 'has not answered as it should';
  return [
    {
      code: 'HOST_FAILING',
      severity: 'warning',
      message: `The media host ${what} since ${since} (${lastErrorCode ?? ''}: ${message}).`,
      fix: refusesCredentials
        ? 'Compare CLOUDINARY_URL with the API keys in the console of Cloudinary, and restart with the right ones. A key that is enabled again is noticed within 15 seconds.'
        : 'Look at the network, the status page of the host, or the disk of DATA_DIR. Holdfast notices within 15 seconds that Cloudinary is back, and goes on by itself.',
    },
  ];
}
