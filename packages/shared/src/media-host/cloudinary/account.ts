import type { CloudinarySettings } from '@holdfast/foundation/config';
import { type HoldfastError, isHoldfastError } from '@holdfast/foundation/errors';
import type { AssetRef } from '../media-host.js';
import { createAssets } from './assets.js';
import { download } from './downloads.js';
import { createFiles } from './files.js';
import { createListings } from './listings.js';
import { createPlacement } from './placement.js';
import { connect, type ConnectionOptions } from './sdk.js';
import { createUpload } from './upload.js';

export interface AccountOptions extends Pick<ConnectionOptions, 'log' | 'timeouts'> {
  /** `own.list` shows only public ids that begin with it. */
  prefix: string;
  /** Runs before each metered call. What it throws becomes the outcome of the call. */
  beforeMetered: () => void;
  /** `put` cuts larger bodies into parts of this size. */
  partBytes: number;
}

export type CloudinaryAccount = ReturnType<typeof openAccount>;

/**
 * A Cloudinary account under examination: the calls are those of the media host, and their answers are kept as they came.
 * Methods reject as those of the media host do. Throws CONFIG_INVALID as `createCloudinaryHost` does.
 */
export function openAccount(settings: CloudinarySettings, options: AccountOptions) {
  const { prefix, beforeMetered, partBytes } = options;
  const answerMs: number[] = [];
  const replies: unknown[] = [];
  const refusals: HoldfastError[] = [];
  const connection = connect(settings, {
    ...options,
    uploadSlots: 1,
    tap: async (kind, request) => {
      if (kind === 'metered') beforeMetered();
      const askedAt = performance.now();
      try {
        const reply = await request();
        replies.push(reply);
        return reply;
      } catch (error) {
        if (kind === 'metered' && isHoldfastError(error)) refusals.push(error);
        throw error;
      } finally {
        if (kind !== 'metered') answerMs.push(performance.now() - askedAt);
      }
    },
  });
  const { sdk, admin, signed, timeouts } = connection;
  const { place } = createPlacement(connection);

  return {
    host: {
      ...createAssets(connection, place),
      ...createListings(connection),
      ...createFiles(connection, place),
    },
    /** The host's listing, narrowed to the prefix. */
    own: createListings(connection, prefix),
    /** All answers so far, as they came. */
    replies: replies as readonly unknown[],
    /** As the host sends it. Resolves with the answer. */
    put: createUpload(connection, place, { above: partBytes, bytes: partBytes }),
    rename: ({ publicId, resourceType }: AssetRef, to: string, signal: AbortSignal) =>
      signed(signal, (call) =>
        sdk.uploader.rename(publicId, to, { ...call, resource_type: resourceType, type: 'upload' }),
      ),
    /** Metered. The settings of the account, its folder mode among them. */
    settings: (signal: AbortSignal) => admin(signal, (call) => sdk.api.config({ ...call, settings: true })),
    /** Metered. What is used, and the limits of the plan. */
    usage: (signal: AbortSignal) => admin(signal, (call) => sdk.api.usage(call)),
    /** Metered. The assets that this expression finds. */
    search: (expression: string, signal: AbortSignal) =>
      admin(signal, (call) => sdk.search.expression(expression).execute(call)),
    /** Metered. Rejects also where the folder is not empty, or there is none. */
    removeFolder: (path: string, signal: AbortSignal) =>
      admin(signal, (call) => sdk.api.delete_folder(path, call)),
    /** A file under its public address; null where there is none. */
    deliver: (url: string, signal: AbortSignal) =>
      download(url, { deadlineMs: timeouts.pageMs, idleMs: timeouts.pageMs, signal }),
    /** How long each answer took that is not metered, in milliseconds. */
    answerMs: answerMs as readonly number[],
    /** By how much the host's clock is ahead of ours, in milliseconds; up to a second less, since it states whole seconds. */
    aheadMs: () => connection.hostNow() - Date.now(),
    budget: connection.budget,
    /** What metered calls were refused with, oldest first. */
    refusals: refusals as readonly HoldfastError[],
    close: connection.close,
  };
}
