import type { Readable } from 'node:stream';
import { type ErrorCode, HoldfastError, isHoldfastError } from '@holdfast/foundation/errors';
import {
  type AssetFacts,
  type Carried,
  type HostIdentity,
  type HostMetadata,
  idFromPublicId,
  readHostMetadata,
  type ResourceType,
  resourceTypes,
} from '../media/index.js';
import type { Body } from './body.js';

/** How an asset is addressed: public ids are unique within one resource type. */
export interface AssetRef {
  publicId: string;
  resourceType: ResourceType;
}

/** One asset as the host has it. */
export interface HostAsset extends AssetFacts {
  /** ISO 8601, as `createdAt`. Last upload or overwrite. */
  uploadedAt: string;
}

/** One asset to store, see `put`. */
export interface PutRequest {
  ref: AssetRef;
  metadata: HostMetadata;
  /** A stream is destroyed by the host in every outcome. How long it may be silent is for its owner to say, by `signal`. */
  body: Body;
  /** The extension that fits the first bytes, for a host that does not look at them; empty where none does. */
  format?: string;
  /**
   * Size of the body where it is known, as it must be for a stream above 100,000,000 bytes. A stream may be shorter by what else a
   * form can hold (4 MB).
   */
  contentLength?: number;
  /** Ends the transfer at once; the promise then rejects with the signal's reason. */
  signal: AbortSignal;
}

/** What is under the public id after a `put`. */
export interface PutResult {
  asset: HostAsset;
  /** True when an asset with this public id was there before: nothing was stored, `asset` is the old one. */
  existed: boolean;
}

/** What the host shows of several assets. */
export interface ShownAssets {
  assets: HostAsset[];
  /** Shown in a form that cannot be read: they exist, and nothing else may be concluded. Null where even that name is not there. */
  unreadable: { assetId: string | null; publicId: string | null }[];
  /** Attributes that no asset shown has, though each has them on the host. */
  lacking: string[];
}

/** One answer of a listing. Assets that exist only as a backup, or whose bytes or description are gone, are left out; damaged bytes are shown. */
export interface AssetPage extends ShownAssets {
  /** Null on the last page. A page may be short, or empty, while more remain. */
  nextCursor: string | null;
}

/** Which page of a full listing. */
export interface ListRequest {
  resourceType: ResourceType;
  /** Of the page before, of the same listing; null = the first page. */
  cursor: string | null;
  /** At most 500. */
  limit: number;
  signal: AbortSignal;
}

/** The host's hourly budget of listing calls, as its last answer stated it. */
export interface HostBudget {
  limit: number;
  remaining: number;
  resetAt: string;
  /** Milliseconds since the epoch, by the clock of the process that received it. */
  heardAt: number;
}

/** What recent calls showed; no call is made to answer it. */
export interface HostHealth {
  /** Null before the first call. */
  reachable: boolean | null;
  lastSuccessAt: string | null;
  lastFailureAt: string | null;
  lastErrorCode: ErrorCode | null;
  /** While it is not reachable: since when, and what the last call met. */
  failing: { since: string; message: string; refusesCredentials: boolean } | null;
  /** `open` while nothing is sent because nothing was answered; see guarded-host.ts. */
  circuit: 'closed' | 'open';
}

/** A file of ours beside the assets, see `putFile`. */
export interface HostFile {
  name: string;
  bytes: number;
  /** ISO 8601, by the host's clock. */
  storedAt: string;
}

/**
 * Where the bytes live. Two implementations (Cloudinary, local folder) pass one contract suite.
 * Every method rejects with a HoldfastError: HOST_REJECTED, HOST_TIMEOUT, HOST_LIMIT (too large for the plan), HOST_RATE_LIMITED
 * (`retryAfterSeconds` says when), HOST_CURSOR_SPENT (start the listing again), STORAGE_FULL (local disk), MEDIA_NOT_FOUND (annotate
 * only), HOST_CONTEXT_UNWRITABLE (annotate: it would change what others keep there), HOST_ALTERS_UPLOADS (put and putFile: stored under
 * another name, and removed again), MALFORMED_BODY (put: a body far shorter than its `contentLength`). No method hangs: silence ends in
 * HOST_TIMEOUT. While the circuit of this process is open, calls are not attempted and reject with the code of the last failure
 * (`isCircuitOpen`).
 */
export interface MediaHost {
  readonly kind: 'cloudinary' | 'local';
  readonly identity: HostIdentity;
  /**
   * Stores bytes and metadata under `ref` unless something is there already. After a rejection other than by
   * STORAGE_FULL or HOST_LIMIT the asset may or may not exist: look with `find`.
   */
  put(request: PutRequest): Promise<PutResult>;
  /** Replaces context and tags as a whole. MEDIA_NOT_FOUND when the asset is gone. Not metered. */
  annotate(ref: AssetRef, metadata: HostMetadata, signal?: AbortSignal): Promise<HostAsset>;
  /** The asset as it is now, or null. Read from the source, not from an index. Not metered. */
  find(ref: AssetRef, signal?: AbortSignal): Promise<HostAsset | null>;
  /**
   * The stored bytes of an asset, as a stream that holds only what is on its way and fails when the host falls silent.
   * MEDIA_NOT_FOUND where the host has none. Not metered. Its failure says nothing about other calls.
   */
  open(asset: HostAsset, signal: AbortSignal): Promise<Readable>;
  /** Removes the asset; resolves also when it was not there. Not metered. */
  remove(ref: AssetRef, signal?: AbortSignal): Promise<'removed' | 'absent'>;
  /** One page of all assets of a type, oldest first, with metadata and etag. Metered. */
  list(request: ListRequest): Promise<AssetPage>;
  /**
   * One page of the assets of all types that were uploaded, overwritten or edited at or after `since`, which is the same for each page;
   * oldest change first. The host's index may lag: absence proves nothing. Metered.
   */
  changes(request: Omit<ListRequest, 'resourceType'> & { since: Date }): Promise<AssetPage>;
  /** Those of the given assets (at most 100) that exist now. Metered on Cloudinary: one call. */
  confirm(assetIds: readonly string[], signal?: AbortSignal): Promise<ShownAssets>;
  /**
   * Keeps a small file (at most 10 MB, not empty) beside the assets: it is not public, and no listing of assets shows
   * it. What has this name already is left as it is, so a name stands for one content. Not metered.
   */
  putFile(name: string, body: Buffer, signal?: AbortSignal): Promise<void>;
  /**
   * The content of such a file, or null. `bytes` is its size where that is known: a slow line gets time for so much, and no
   * more. Not metered. Its failure says nothing about other calls.
   */
  readFile(name: string, signal?: AbortSignal, bytes?: number): Promise<Buffer | null>;
  /** All such files whose name begins with `prefix`, in the order of their names. Metered: one call for each 500. */
  listFiles(prefix: string, signal?: AbortSignal): Promise<HostFile[]>;
  /** Resolves also when there was none. Not metered. */
  removeFile(name: string, signal?: AbortSignal): Promise<'removed' | 'absent'>;
  /**
   * What a client that does not know our secret posts for one upload, with the file added, and where. Every field but the file is
   * signed in the very text that is posted, so nothing of it can be changed; what is there already is never replaced. The signature
   * does not cover the type: `auto` lets the host decide from the bytes. The host takes it for one hour from `timestamp` (Unix
   * seconds). Metered at most once for each process. NOT_SUPPORTED on the local host.
   */
  signUpload(upload: {
    publicId: string;
    resourceType: ResourceType | 'auto';
    metadata: HostMetadata;
    timestamp: number;
  }): Promise<{ url: string; fields: Readonly<Record<string, string>> }>;
  /** The last known budget of metered calls, or null where calls are free or none was made yet. */
  budget(): HostBudget | null;
  health(): HostHealth;
  /** Why an upload would be refused unread now, since the host has not answered lately; null while it does. */
  uploadRefusal(): HoldfastError | null;
  /**
   * Milliseconds since the epoch by the host's own clock, as its last answer stated it and never ahead of it; our clock
   * before the first answer. What the host's dates are compared with.
   */
  hostNow(): number;
  /** How many metered calls this process has made. */
  meteredCalls(): number;
  /** Bytes that can still be stored, where the host can tell (local disk); null elsewhere. */
  freeBytes(): Promise<number | null>;
  /** Ends idle connections. No call may follow. */
  close(): Promise<void>;
}

/** Whether a metered call is to be left to syncs: they need the second half of the budget, and see the same in the end. */
export function isHalfSpent(budget: HostBudget | null): boolean {
  return budget !== null && budget.remaining < budget.limit / 2;
}

/** An asset that Holdfast put on the host, with what it wrote there. */
export interface OwnAsset {
  asset: HostAsset;
  carried: Carried;
}

/**
 * The assets of one media item under our own folder, whatever type the host took them for. Assets without our mark, or with
 * another id, belong to others: they are not in the answer, and so never removed.
 */
export async function findOwnAssets(
  host: Pick<MediaHost, 'find'>,
  folder: string,
  { id, publicId }: { id: string; publicId: string },
  signal: AbortSignal,
): Promise<OwnAsset[]> {
  // Of a raw file: the only ones that have an extension.
  if (idFromPublicId(folder, { publicId, resourceType: 'raw' }) !== id) return [];
  const found = await Promise.all(
    resourceTypes.map((resourceType) => host.find({ publicId, resourceType }, signal)),
  );
  return found.flatMap((asset) => {
    const carried = asset === null ? null : readHostMetadata(asset);
    return asset !== null && carried?.fields.id === id ? [{ asset, carried }] : [];
  });
}

/** What the host answered, or that it did not, stripped of the request and its credentials; the cause of our errors. */
export class HostFailure extends Error {
  override readonly name = 'HostFailure';

  constructor(
    message: string,
    /** HTTP status, or null when no answer came. */
    readonly status: number | null,
    /** Of a network error, such as ECONNRESET. */
    readonly code: string | null = null,
  ) {
    super(message);
  }

  /** True when every other call will be refused like this one, until the settings are corrected. */
  get refusesCredentials(): boolean {
    return this.status === 401;
  }

  /** True when the same call may succeed later: no answer, one that is not Cloudinary's, or a failure on its side. */
  get transient(): boolean {
    const { status } = this;
    return status === null || status < 400 || status >= 500 || [408, 420, 429, 499].includes(status);
  }
}

/** The HTTP status behind one of our errors; null where the host gave none. */
export function statusOf(error: unknown): number | null {
  return isHoldfastError(error) && error.cause instanceof HostFailure ? error.cause.status : null;
}

/** HOST_REJECTED for an answer that came, and cannot be what was asked for. */
export function unreadableAnswer(message: string, detail = message): HoldfastError {
  return new HoldfastError('HOST_REJECTED', message, { cause: new HostFailure(detail, 200) });
}

/** True where the host has the asset, and what it shows of it cannot be read. */
export function isUnreadableAsset(error: unknown): boolean {
  return (
    isHoldfastError(error, 'ASSET_UNREADABLE') ||
    (isHoldfastError(error, 'HOST_REJECTED') && statusOf(error) === 200)
  );
}

/** True for a host error that says nothing about the request itself. */
export function isTransientHostError(error: unknown): boolean {
  return (
    isHoldfastError(error, 'HOST_TIMEOUT', 'HOST_RATE_LIMITED') ||
    (isHoldfastError(error, 'HOST_REJECTED') && error.cause instanceof HostFailure && error.cause.transient)
  );
}
