import type { Asset, ResourceType } from '../assets/asset.js';
import type { Fault, PlannedFault } from '../faults/fault.js';
import type { LoggedRequest, RequestCounters } from '../request-log.js';
import type { Settings } from '../settings.js';
import type { Delivery } from '../webhooks/webhooks.js';
import type { WebhookFault } from '../webhooks/webhook-fault.js';

/** What a test or a benchmark sees of an emulator and does to it, in the same process or over HTTP. */
export interface EmulatorControl {
  /** `http://127.0.0.1:<port>` */
  url: string;
  /** Ready for CLOUDINARY_URL. */
  cloudinaryUrl: string;
  assets: {
    count(): Promise<number>;
    /** In order of creation, oldest first. */
    list(query?: AssetQuery): Promise<Asset[]>;
    get(resourceType: ResourceType, publicId: string, type?: string): Promise<Asset | null>;
    byAssetId(assetId: string): Promise<Asset | null>;
    /** Null when there is no such asset, or its bytes were not kept. */
    bytes(assetId: string): Promise<Buffer | null>;
    /** Inverts the first stored byte. The etag follows, as a host would report it, unless told to stay. */
    corrupt(assetId: string, options?: { keepEtag?: boolean }): Promise<Asset>;
  };
  requests: {
    counters(): Promise<RequestCounters>;
    /** The last thousand, oldest first. */
    recent(): Promise<LoggedRequest[]>;
    reset(): Promise<void>;
  };
  faults: {
    add(fault: Fault): Promise<PlannedFault>;
    list(): Promise<PlannedFault[]>;
    /** Without an id: all of them, those of webhooks too. */
    clear(id?: string): Promise<void>;
  };
  webhooks: {
    addFault(fault: WebhookFault): Promise<void>;
    deliveries(): Promise<Delivery[]>;
    /** Notifications still to be delivered or repeated. */
    pending(): Promise<number>;
  };
  settings(): Promise<Settings>;
  configure(changes: Partial<Settings>): Promise<Settings>;
}

/** Which assets to list. */
export interface AssetQuery {
  resourceType?: ResourceType;
  /** Start of the public id. */
  prefix?: string;
  tag?: string;
  limit?: number;
  offset?: number;
}
