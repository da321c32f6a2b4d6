import type { Agent } from 'node:http';
import { createRequire } from 'node:module';
import type { Writable } from 'node:stream';
import { HoldfastError } from '../../errors/index.js';

/** Given with each call, so that the SDK's process-wide configuration is never read. */
export interface CallOptions {
  cloud_name: string;
  api_key: string;
  api_secret: string;
  upload_prefix: string;
  signature_algorithm: 'sha1' | 'sha256';
  agent: Agent;
  /** Idle time of the socket in ms; for Admin calls the SDK arms it without effect. */
  timeout: number;
}

export interface AddressOptions extends CallOptions {
  resource_type: string;
  /** How it is delivered: media are public, files that are none need a signed address. */
  type: 'upload' | 'authenticated';
}

/** Where the Media Library shows an asset, and under which name. Accounts with fixed folders have neither. */
export interface PlacementOptions {
  asset_folder?: string;
  display_name?: string;
}

export interface MetadataOptions extends AddressOptions, PlacementOptions {
  /** Encoded already, see encode-context.ts. */
  context?: string;
  tags?: string;
}

/** The only options an upload may carry: other names would be read as transformations. */
export interface UploadOptions extends MetadataOptions {
  public_id: string;
  overwrite: false;
  filename: 'file';
  disable_promises: true;
  content_range?: string;
  x_unique_upload_id?: string;
}

/** What a listing shows of its assets. */
export interface ListedOptions {
  tags: true;
  context: true;
  /** Joined by commas: the SDK would repeat the parameter for a list, and of a repeated one the host keeps the last. */
  fields?: string;
}

export interface PageOptions extends AddressOptions, ListedOptions {
  max_results: number;
  next_cursor?: string;
  direction: 'asc';
}

export interface FilesOptions extends AddressOptions {
  prefix: string;
  max_results: number;
  next_cursor?: string;
}

export interface SearchBuilder {
  expression(value: string): SearchBuilder;
  sort_by(field: string, direction: 'asc' | 'desc'): SearchBuilder;
  with_field(field: string): SearchBuilder;
  max_results(count: number): SearchBuilder;
  next_cursor(cursor: string): SearchBuilder;
  execute(options: CallOptions): Promise<unknown>;
}

/**
 * What we use of the SDK (2.11), as it really behaves; its own typings are wrong in places. Results are unknown:
 * they are parsed by reply-schemas. The upload callback may be called twice, and with an error in several shapes.
 */
export interface CloudinarySdk {
  config(settings: { hide_sensitive: true }): { upload_prefix?: string };
  uploader: {
    upload_stream(
      options: UploadOptions,
      callback: (reply: unknown, result?: unknown) => void,
    ): Writable & { readonly boundary?: string };
    explicit(publicId: string, options: MetadataOptions): Promise<unknown>;
    destroy(publicId: string, options: AddressOptions & { invalidate: true }): Promise<unknown>;
    rename(publicId: string, to: string, options: AddressOptions): Promise<unknown>;
    replace_tag(tags: string, publicIds: string[], options: AddressOptions): Promise<unknown>;
    remove_all_tags(publicIds: string[], options: AddressOptions): Promise<unknown>;
    remove_all_context(publicIds: string[], options: AddressOptions): Promise<unknown>;
  };
  api: {
    resources(options: PageOptions | FilesOptions): Promise<unknown>;
    resources_by_asset_ids(
      assetIds: readonly string[],
      options: CallOptions & ListedOptions,
    ): Promise<unknown>;
    config(options: CallOptions & { settings: true }): Promise<unknown>;
    usage(options: CallOptions): Promise<unknown>;
    delete_folder(path: string, options: CallOptions): Promise<unknown>;
  };
  search: { expression(value: string): SearchBuilder };
  utils: {
    private_download_url(publicId: string, format: string, options: AddressOptions): string;
    api_sign_request(
      params: Readonly<Record<string, string>>,
      secret: string,
      algorithm: 'sha1' | 'sha256',
      version: 2,
    ): string;
  };
}

/** Variables that the SDK reads while it is loaded. */
const READ_AT_LOAD = ['CLOUDINARY_URL', 'CLOUDINARY_ACCOUNT_URL', 'CLOUDINARY_API_PROXY'] as const;

/**
 * Loads the SDK for the protocol of `apiUrl`. The SDK chooses between http and https once, from CLOUDINARY_URL, while
 * it is loaded; so that variable is ours for the length of the (synchronous) load.
 * Throws CONFIG_INVALID when the SDK of this process already speaks the other protocol.
 */
export function loadSdk(apiUrl: string): CloudinarySdk {
  const saved = READ_AT_LOAD.map((name) => [name, process.env[name]] as const);
  try {
    for (const name of READ_AT_LOAD) delete process.env[name];
    process.env['CLOUDINARY_URL'] =
      `cloudinary://unused:unused@unused?upload_prefix=${encodeURIComponent(apiUrl)}`;
    const { v2 } = createRequire(import.meta.url)('cloudinary') as { v2: CloudinarySdk };
    const loadedFor = v2.config({ hide_sensitive: true }).upload_prefix ?? 'https:';
    if (isHttp(loadedFor) !== isHttp(apiUrl)) {
      throw new HoldfastError(
        'CONFIG_INVALID',
        'one process can reach Cloudinary by http or by https, not both: its SDK decides once',
      );
    }
    return v2;
  } finally {
    for (const [name, value] of saved) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  }
}

function isHttp(url: string): boolean {
  return url.startsWith('http:');
}
