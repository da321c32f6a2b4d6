import type { CloudinarySettings } from '@holdfast/foundation/config';
import { isHoldfastError, type HoldfastError } from '@holdfast/foundation/errors';
import type { AssetRef, HostBudget, MediaHost, PutRequest } from '../media-host.js';
import { createAssets, refuseRenamed, sameAsset } from './assets.js';
import { connect, type Connection, type ConnectionOptions } from './connection.js';
import { createFiles, downloadFile } from './files.js';
import { createListings } from './listings.js';
import { createPlacement } from './placement.js';
import { readAsset } from './replies.js';
import type { AddressOptions, CallOptions } from './sdk.js';
import { createUpload, type PartSizes } from './upload.js';

export interface CloudinaryHostOptions extends ConnectionOptions {
  /** Tests cut files into parts at smaller sizes. */
  parts?: PartSizes;
}

/** Cloudinary through its SDK. Throws CONFIG_INVALID when this process already uses the SDK with the other protocol. */
export function createCloudinaryHost(
  settings: CloudinarySettings,
  options: CloudinaryHostOptions,
): MediaHost {
  const connection = connect(settings, options);
  const { place, isTaken } = createPlacement(connection);
  const assets = createAssets(connection, place);
  const upload = createUpload(connection, place, options.parts);
  return {
    kind: 'cloudinary',
    identity: `cloudinary:${settings.cloudName}`,
    put: async (request) => {
      const { ref, metadata, signal } = request;
      const { asset, existed } = await connection.observed(signal, async () =>
        readAsset(await upload(request)),
      );
      const isOurs = !existed && asset.context['hf_id'] === metadata.context['hf_id'];
      if (isOurs && asset.publicId !== ref.publicId)
        await refuseRenamed(assets, asset, ref.publicId, options.log);
      sameAsset(asset, ref);
      // The short answer about an older asset may lack its metadata.
      return { asset: existed ? ((await assets.find(ref, signal)) ?? asset) : asset, existed };
    },
    ...assets,
    ...createListings(connection),
    ...createFiles(connection, place),
    budget: connection.budget,
    health: connection.health,
    placesUploads: isTaken,
    uploadRefusal: () => null,
    admitUpload: () => undefined,
    hostNow: connection.hostNow,
    meteredCalls: connection.metered,
    freeBytes: () => Promise.resolve(null),
    close: async () => connection.close(),
  };
}

export interface AccountOptions extends Pick<ConnectionOptions, 'log' | 'timeouts'> {
  /** `own.list` shows only public ids that begin with it. */
  prefix: string;
  /** Runs before each metered call. What it throws becomes the outcome of the call. */
  beforeMetered: () => void;
  /** `put` cuts larger bodies into parts of this size. */
  partBytes: number;
}

/**
 * A Cloudinary account under examination: the calls are those of the media host, and their answers are kept as they came.
 * Methods reject as those of the media host do.
 */
export interface CloudinaryAccount {
  host: Pick<MediaHost, 'annotate' | 'changes' | 'confirm' | 'find' | 'list' | 'remove'> &
    Pick<MediaHost, 'listFiles' | 'putFile' | 'readFile' | 'removeFile'>;
  /** The host's listing, narrowed to the prefix. */
  own: Pick<MediaHost, 'list'>;
  /** All answers so far, as they came. */
  replies: readonly unknown[];
  /** As the host sends it. Resolves with the answer. */
  put: (request: PutRequest) => Promise<unknown>;
  rename: (ref: AssetRef, publicId: string, signal: AbortSignal) => Promise<unknown>;
  /** Metered. The settings of the account, its folder mode among them. */
  settings: (signal: AbortSignal) => Promise<unknown>;
  /** Metered. What is used, and the limits of the plan. */
  usage: (signal: AbortSignal) => Promise<unknown>;
  /** Metered. The assets that this expression finds. */
  search: (expression: string, signal: AbortSignal) => Promise<unknown>;
  /** Metered. Rejects also where the folder is not empty, or there is none. */
  removeFolder: (path: string, signal: AbortSignal) => Promise<unknown>;
  /** A file under its public address; null where there is none. */
  deliver: (url: string, signal: AbortSignal) => Promise<Buffer | null>;
  /** How long each answer took that is not metered, in milliseconds. */
  answerMs: readonly number[];
  /** By how much the host's clock is ahead of ours, in milliseconds; up to a second less, since it states whole seconds. */
  aheadMs: () => number;
  budget: () => HostBudget | null;
  /** What metered calls were refused with, oldest first. */
  refusals: readonly HoldfastError[];
  close: () => void;
}

/** Throws CONFIG_INVALID as `createCloudinaryHost` does. */
export function openAccount(settings: CloudinarySettings, options: AccountOptions): CloudinaryAccount {
  const { prefix, beforeMetered, partBytes } = options;
  const plain = connect(settings, { ...options, uploadSlots: 1 });
  const { sdk, timeouts } = plain;

  const answerMs: number[] = [];
  const replies: unknown[] = [];
  const refusals: HoldfastError[] = [];
  const heard = async (answer: Promise<unknown>): Promise<unknown> => {
    const reply = await answer;
    replies.push(reply);
    return reply;
  };
  const timed = async (answer: Promise<unknown>): Promise<unknown> => {
    const askedAt = performance.now();
    try {
      return await heard(answer);
    } finally {
      answerMs.push(performance.now() - askedAt);
    }
  };
  const tapped: Connection = {
    ...plain,
    signed: (signal, call, read) => plain.signed(signal, (access) => timed(call(access)), read),
    admin: async (signal, call, read) => {
      beforeMetered();
      try {
        return await plain.admin(signal, (access) => heard(call(access)), read);
      } catch (error) {
        if (isHoldfastError(error)) refusals.push(error);
        throw error;
      }
    },
  };
  const asItCame = (reply: unknown): unknown => reply;
  const ask = (signal: AbortSignal, call: (access: CallOptions) => Promise<unknown>) =>
    tapped.admin(signal, call, asItCame);

  const { place } = createPlacement(tapped);
  const upload = createUpload(tapped, place, { above: partBytes, bytes: partBytes });
  const resources: typeof sdk.api.resources = (asked) => sdk.api.resources({ ...asked, prefix });
  const address = ({ resourceType }: AssetRef, access: CallOptions): AddressOptions => ({
    ...access,
    resource_type: resourceType,
    type: 'upload',
  });

  return {
    host: { ...createAssets(tapped, place), ...createListings(tapped), ...createFiles(tapped, place) },
    own: createListings({ ...tapped, sdk: { ...sdk, api: { ...sdk.api, resources } } }),
    replies,
    put: (request) => plain.observed(request.signal, () => timed(upload(request))),
    rename: (ref, publicId, signal) =>
      tapped.signed(
        signal,
        (access) => sdk.uploader.rename(ref.publicId, publicId, address(ref, access)),
        asItCame,
      ),
    settings: (signal) => ask(signal, (access) => sdk.api.config({ ...access, settings: true })),
    usage: (signal) => ask(signal, (access) => sdk.api.usage(access)),
    search: (expression, signal) =>
      ask(signal, (access) => sdk.search.expression(expression).execute(access)),
    removeFolder: (path, signal) => ask(signal, (access) => sdk.api.delete_folder(path, access)),
    deliver: (url, signal) =>
      plain.converted(signal, () => {
        const within = { deadlineMs: timeouts.pageMs, idleMs: timeouts.pageMs, signal };
        return downloadFile(url, plain.uploads.lease('file'), within);
      }),
    answerMs,
    aheadMs: () => plain.hostNow() - Date.now(),
    budget: plain.budget,
    refusals,
    close: plain.close,
  };
}
