import type { Settings } from '@holdfast/foundation/config';
import type { Finding } from '@holdfast/shared/durability';
import { withinMs } from '@holdfast/foundation/lifecycle';
import type { HostHealth, MediaHost } from '@holdfast/shared/media-host';
import { persistenceWarning } from './current-findings.js';
import { eachOnce } from './deployment-findings.js';
import type { RedisFailure } from './redis-failure.js';

export interface StorageStatus {
  type: Settings['redis']['storageType'];
  /** True when an external Redis is configured. */
  hasKV: boolean;
  /** True when the server answers, also where it takes no writes. */
  connected: boolean;
  /** `passed`, or `failed: ` and why. */
  connectionTest: string;
  persistenceWarning: string;
  findings: readonly Finding[];
}

/** `failure`: why Redis does not serve, null when it does. */
export function storageStatus(
  settings: Pick<Settings, 'redis'>,
  findings: readonly Finding[],
  failure: RedisFailure | null,
): StorageStatus {
  return {
    type: settings.redis.storageType,
    hasKV: settings.redis.external,
    connected: failure === null || failure.connected,
    connectionTest: failure === null ? 'passed' : `failed: ${failure.message}`,
    persistenceWarning:
      failure === null
        ? persistenceWarning(findings)
        : `${failure.message}: what it keeps cannot be tested now.`,
    findings: failure === null ? findings : eachOnce([...failure.findings, ...findings]),
  };
}

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
