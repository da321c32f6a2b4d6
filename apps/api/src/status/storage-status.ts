import type { Settings } from '@holdfast/shared/config';
import type { Finding } from '@holdfast/shared/durability';
import { persistenceWarning } from './current-findings.js';

export interface StorageStatus {
  type: Settings['redis']['storageType'];
  /** True when an external Redis is configured. */
  hasKV: boolean;
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
  failure: string | null,
): StorageStatus {
  return {
    type: settings.redis.storageType,
    hasKV: settings.redis.external,
    connected: failure === null,
    connectionTest: failure === null ? 'passed' : `failed: ${failure}`,
    persistenceWarning:
      failure === null ? persistenceWarning(findings) : `${failure}: what it keeps cannot be tested now.`,
    findings,
  };
}
