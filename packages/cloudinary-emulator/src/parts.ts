import type { AssetStore } from './assets/asset-store.js';
import type { Seed } from './assets/seed-assets.js';
import type { BlobStore } from './blobs/blob-store.js';
import type { FaultPlan } from './faults/fault-plan.js';
import type { RateLimit } from './rate-limit.js';
import type { RequestLog } from './request-log.js';
import type { SearchIndex } from './search/search-index.js';
import type { Account, Settings } from './settings.js';
import type { ChunkedUploads } from './upload-api/chunked-uploads.js';
import type { Webhooks } from './webhooks/webhooks.js';

/** Everything an emulator is made of; handlers take the few parts they use. */
export interface Parts {
  account: Account;
  settings: Settings;
  /** Milliseconds since the epoch, as the emulated host has it. */
  now(): number;
  assets: AssetStore;
  blobs: BlobStore;
  search: SearchIndex;
  chunks: ChunkedUploads;
  webhooks: Webhooks;
  faults: FaultPlan;
  limit: RateLimit;
  requests: RequestLog;
  /** Adds synthetic assets, so that a restart on the same directory finds them again. */
  seed(seed: Seed): void;
}

/** The host's clock in its own granularity. */
export function nowSeconds(parts: Pick<Parts, 'now'>): number {
  return Math.floor(parts.now() / 1000);
}
