import { Agent } from 'node:http';
import type { UploadApiOptions, UploadApiResponse } from 'cloudinary';
import type { EmulatorControl } from '../control/emulator-control.js';

/** An item of a listing, as far as tests read it. */
export interface ListedAsset {
  asset_id: string;
  public_id: string;
  resource_type: string;
  created_at: string;
  etag?: string;
  uploaded_at?: string;
  tags?: string[];
  context?: { custom: Record<string, string> };
}

/** A page of a listing or search. */
export interface ListedPage {
  resources: ListedAsset[];
  next_cursor?: string;
  total_count?: number;
  rate_limit_allowed?: number;
  rate_limit_remaining?: number;
}

/** What the SDK's typings leave out or call `any`. */
interface AdminApi {
  resources(options: object): Promise<ListedPage>;
  resources_by_ids(ids: string[], options: object): Promise<ListedPage>;
  resources_by_asset_ids(ids: string[], options: object): Promise<ListedPage>;
  resources_by_tag(tag: string, options: object): Promise<ListedPage>;
  resources_by_context(key: string, value: string | null, options: object): Promise<ListedPage>;
  resource(id: string, options: object): Promise<ListedAsset>;
  resource_by_asset_id(id: string, options: object): Promise<ListedAsset>;
  update(id: string, options: object): Promise<ListedAsset>;
  delete_resources(
    ids: string[],
    options: object,
  ): Promise<{ deleted: Record<string, string>; partial: boolean }>;
  delete_resources_by_prefix(prefix: string, options: object): Promise<{ partial: boolean }>;
  delete_resources_by_tag(tag: string, options: object): Promise<{ partial: boolean }>;
  usage(options: object): Promise<{ media_limits: Record<string, number> }>;
  ping(options: object): Promise<{ status: string }>;
}

/** Calls whose typings take no options. */
interface Uploader {
  rename(from: string, to: string, options: object): Promise<Record<string, unknown>>;
  add_tag(tag: string, ids: string[], options: object): Promise<unknown>;
  remove_tag(tag: string, ids: string[], options: object): Promise<unknown>;
  replace_tag(tag: string, ids: string[], options: object): Promise<unknown>;
  add_context(context: string, ids: string[], options: object): Promise<unknown>;
  remove_all_context(ids: string[], options: object): Promise<unknown>;
  update_metadata(metadata: string, ids: string[], options: object): Promise<unknown>;
  destroy(id: string, options: object): Promise<{ result: string }>;
}

export type Sdk = Awaited<ReturnType<typeof sdkFor>>;

/**
 * The unmodified SDK, pointed at an emulator by the options of each call. It picks http or https once, at
 * its import, from the environment; that is why it is imported only here, after the address is set.
 */
export async function sdkFor(emulator: Pick<EmulatorControl, 'cloudinaryUrl' | 'url'>) {
  process.env['CLOUDINARY_URL'] ??= emulator.cloudinaryUrl;
  const { v2: cloudinary } = await import('cloudinary');
  const { username, password, hostname } = new URL(emulator.cloudinaryUrl);
  /** Credentials and address as options of a single call; a fresh object each time, since the SDK writes into it. */
  const account = () => ({
    cloud_name: hostname,
    api_key: username,
    api_secret: password,
    upload_prefix: emulator.url,
  });
  const api = cloudinary.api as unknown as AdminApi;
  return {
    cloudinary,
    api,
    uploader: cloudinary.uploader as unknown as Uploader,
    account,
    /** `uploader.upload_stream` of a buffer, over a connection of its own. */
    upload(bytes: Buffer, options: UploadApiOptions = {}): Promise<UploadApiResponse> {
      const agent = new Agent({ keepAlive: false });
      return new Promise<UploadApiResponse>((resolve, reject) => {
        const sink = cloudinary.uploader.upload_stream(
          { ...account(), ...options, agent },
          (error, result) => {
            if (result !== undefined && error === undefined) resolve(result);
            else reject(asError(error));
          },
        );
        sink.on('error', () => undefined);
        sink.end(bytes);
      }).finally(() => agent.destroy());
    },
    list: (options: object = {}) => api.resources({ ...account(), type: 'upload', ...options }),
    /** A search with the parameters of its builder. */
    search(expression: string, options: SearchOptions = {}): Promise<ListedPage> {
      let search = cloudinary.search.expression(expression);
      for (const [field, direction] of options.sortBy ?? []) search = search.sort_by(field, direction);
      for (const field of options.withField ?? []) search = search.with_field(field);
      for (const field of options.fields ?? []) search = search.fields(field);
      if (options.maxResults !== undefined) search = search.max_results(options.maxResults);
      if (options.cursor !== undefined) search = search.next_cursor(options.cursor);
      const withAccount = search as unknown as { execute(options: object): Promise<ListedPage> };
      return withAccount.execute(account());
    },
  };
}

interface SearchOptions {
  sortBy?: [string, 'asc' | 'desc'][];
  withField?: string[];
  fields?: string[];
  maxResults?: number;
  cursor?: string;
}

/** The SDK rejects with plain objects in several shapes; tests read `message` and `http_code`. */
export function asError(error: unknown): Error & { http_code?: number } {
  if (error instanceof Error) return error;
  const shape = error as { message?: string; error?: { message: string } };
  return Object.assign(new Error(shape.message ?? shape.error?.message ?? 'unknown'), shape.error ?? shape);
}

/** What a failed call says. */
export async function failure(call: Promise<unknown>): Promise<{ message: string; http_code?: number }> {
  try {
    await call;
  } catch (error) {
    const { message, http_code: code } = asError(error);
    return code === undefined ? { message } : { message, http_code: code };
  }
  throw new Error('The call succeeded');
}
