import type { Asset, ResourceType } from '../assets/asset.js';
import type { SeedTemplate } from '../assets/seed-template.js';
import type { AssetEdit } from '../edits/edit-asset.js';
import type { AssetInput } from '../edits/place-asset.js';
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
    /** Adds synthetic assets whose fields are computed on demand: a million are cheap. The number added. */
    seed(count: number, template?: SeedTemplate): Promise<number>;
    /** Puts an asset in place past the API, as the Media Library would; notifies unless `quiet`. */
    put(input: AssetInput, options?: QuietOption): Promise<Asset>;
    /** Replaces tags, context, metadata, display name or folder; notifies unless `quiet`. */
    edit(assetId: string, edit: AssetEdit, options?: QuietOption): Promise<Asset>;
    rename(assetId: string, publicId: string, options?: QuietOption): Promise<Asset>;
    /** False when there was none; notifies unless `quiet`. */
    remove(assetId: string, options?: QuietOption): Promise<boolean>;
    /** Inverts the first stored byte. The etag follows, as a host would report it, unless told to stay. */
    corrupt(assetId: string, options?: { keepEtag?: boolean }): Promise<Asset>;
  };
  requests: {
    counters(): Promise<RequestCounters>;
    /** The last thousand, oldest first. */
    recent(): Promise<LoggedRequest[]>;
    /** Counters to zero, the rate limit's count of this hour too. */
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

/** Whether to keep a change made past the API from being notified. */
export interface QuietOption {
  quiet?: boolean;
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
