import type { Agent } from 'node:http';
import type { CloudinarySettings } from '../../config/index.js';
import { HoldfastError } from '../../errors/index.js';
import type { Logger } from '../../logging/index.js';
import type { HostMetadata } from '../../media/index.js';
import { abortReason, isAborted } from '../abort-signal.js';
import { createHostOutcomes } from '../host-outcomes.js';
import type { AssetRef, HostAsset, MediaHost } from '../media-host.js';
import { createAgentPool } from './agent-pool.js';
import { watchHostClock } from './host-clock.js';
import { callHost } from './host-call.js';
import { HostFailure, isNotFound, toHostError } from './host-failure.js';
import { createPut } from './put.js';
import { createRateBudget } from './rate-budget.js';
import { listedFields, readAsset, readDestroyed, readPage, readRateLimit } from './reply-schemas.js';
import { loadSdk, type AddressOptions, type CallOptions } from './sdk.js';
import { hostTimeouts, type HostTimeouts } from './timeouts.js';

export interface CloudinaryHostOptions {
  /** Uploads that usually run at once; so many sockets are kept for the next ones. */
  uploadSlots: number;
  log: Logger;
  /** Milliseconds since the epoch. */
  now?: () => number;
  timeouts?: Partial<HostTimeouts>;
  /** Tests cut files into parts at smaller sizes. */
  parts?: { above: number; bytes: number };
}

/** Sockets kept for calls other than uploads. */
const IDLE_CALLS = 8;

/** Cloudinary through its SDK. Throws CONFIG_INVALID when this process already uses the SDK with the other protocol. */
export function createCloudinaryHost(
  settings: CloudinarySettings,
  options: CloudinaryHostOptions,
): MediaHost {
  const now = options.now ?? Date.now;
  const timeouts = { ...hostTimeouts, ...options.timeouts };
  const sdk = loadSdk(settings.apiUrl);
  const uploads = createAgentPool(settings.apiUrl, options.uploadSlots);
  const calls = createAgentPool(settings.apiUrl, IDLE_CALLS);
  const clock = watchHostClock((agent) => uploads.owns(agent) || calls.owns(agent), now);
  const outcomes = createHostOutcomes(now, options.log);
  const budget = createRateBudget(now);
  let metered = 0;

  const access = (agent: Agent, timeout: number): CallOptions => ({
    cloud_name: settings.cloudName,
    api_key: settings.apiKey,
    api_secret: settings.apiSecret,
    upload_prefix: settings.apiUrl,
    signature_algorithm: settings.signatureAlgorithm,
    agent,
    timeout,
  });
  const address = ({ resourceType }: AssetRef, agent: Agent): AddressOptions => ({
    ...access(agent, timeouts.callMs),
    resource_type: resourceType,
    type: 'upload',
  });

  /** Every call goes through here: errors converted, outcome remembered. */
  const observed = async <T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> => {
    try {
      const result = await work();
      outcomes.answered();
      return result;
    } catch (thrown) {
      if (signal !== undefined && isAborted(signal)) throw abortReason(signal);
      const error = toHostError(thrown, budget.retryAfter);
      if (isFailureOfHost(error)) outcomes.failed(error.code);
      else if (error.cause instanceof HostFailure) outcomes.answered();
      throw error;
    }
  };

  /** A call of the upload API: not metered. */
  const signed = <T>(
    signal: AbortSignal | undefined,
    call: (agent: Agent) => Promise<unknown>,
    read: (reply: unknown) => T,
  ): Promise<T> =>
    observed(signal, async () => read(await callHost(calls, { deadlineMs: timeouts.callMs, signal }, call)));

  /** A call of the Admin or search API: metered. */
  const admin = <T>(
    signal: AbortSignal | undefined,
    call: (options: CallOptions) => Promise<unknown>,
    read: (reply: unknown) => T,
  ): Promise<T> =>
    observed(signal, async () => {
      metered += 1;
      const reply = await callHost(calls, { deadlineMs: timeouts.pageMs, signal }, (agent) =>
        call(access(agent, timeouts.pageMs)),
      );
      budget.seen(readRateLimit(reply));
      return read(reply);
    });

  const explicit = (
    ref: AssetRef,
    metadata: HostMetadata | null,
    signal: AbortSignal | undefined,
  ): Promise<HostAsset> =>
    signed(
      signal,
      (agent) =>
        sdk.uploader.explicit(ref.publicId, {
          ...address(ref, agent),
          ...(metadata === null ? {} : { context: { ...metadata.context }, tags: metadata.tags.join(',') }),
        }),
      (reply) => sameAsset(readAsset(reply).asset, ref),
    );

  const find = async (ref: AssetRef, signal?: AbortSignal): Promise<HostAsset | null> => {
    try {
      return await explicit(ref, null, signal);
    } catch (error) {
      if (isNotFound(error)) return null;
      throw error;
    }
  };

  const annotate = async (
    ref: AssetRef,
    metadata: HostMetadata,
    signal?: AbortSignal,
  ): Promise<HostAsset> => {
    try {
      let asset = await explicit(ref, metadata, signal);
      // An empty list or map is dropped by the SDK, and then changes nothing.
      const clear: Clear = (call) =>
        signed(
          signal,
          (agent) => call([ref.publicId], address(ref, agent)),
          () => undefined,
        );
      if (metadata.tags.length === 0 && asset.tags.length > 0) {
        await clear((ids, opts) => sdk.uploader.remove_all_tags(ids, opts));
        asset = { ...asset, tags: [] };
      }
      if (Object.keys(metadata.context).length === 0 && Object.keys(asset.context).length > 0) {
        await clear((ids, opts) => sdk.uploader.remove_all_context(ids, opts));
        asset = { ...asset, context: {} };
      }
      return asset;
    } catch (error) {
      if (isNotFound(error)) throw new HoldfastError('MEDIA_NOT_FOUND', undefined, { cause: error });
      throw error;
    }
  };

  const put = createPut({
    sdk,
    pool: uploads,
    timeouts,
    access,
    ...(options.parts === undefined ? {} : { parts: options.parts }),
  });

  return {
    kind: 'cloudinary',
    put: async (request) => {
      const { asset, existed } = await observed(request.signal, async () => readAsset(await put(request)));
      sameAsset(asset, request.ref);
      // The short answer about an older asset may lack its metadata.
      return { asset: existed ? ((await find(request.ref, request.signal)) ?? asset) : asset, existed };
    },
    annotate,
    find,
    remove: (ref, signal) =>
      signed(
        signal,
        (agent) => sdk.uploader.destroy(ref.publicId, { ...address(ref, agent), invalidate: true }),
        (reply) => {
          const result = readDestroyed(reply);
          if (result === 'ok') return 'removed';
          if (result === 'not found') return 'absent';
          throw new HoldfastError('HOST_REJECTED', `the media host answered a removal with: ${result}`);
        },
      ),
    list: ({ resourceType, cursor, limit, signal }) =>
      admin(
        signal,
        (call) =>
          sdk.api.resources({
            ...call,
            resource_type: resourceType,
            type: 'upload',
            max_results: limit,
            ...(cursor === null ? {} : { next_cursor: cursor }),
            direction: 'asc',
            tags: true,
            context: true,
            fields: listedFields,
          }),
        readPage,
      ),
    changes: ({ since, cursor, limit, signal }) =>
      admin(
        signal,
        (call) => {
          // The index knows whole seconds only.
          const time = new Date(Math.floor(since.getTime() / 1_000) * 1_000).toISOString();
          const search = sdk.search
            .expression(`type:upload AND (uploaded_at>="${time}" OR last_updated>="${time}")`)
            .sort_by('uploaded_at', 'asc')
            .sort_by('public_id', 'asc')
            .with_field('context')
            .with_field('tags')
            .max_results(limit);
          return (cursor === null ? search : search.next_cursor(cursor)).execute(call);
        },
        readPage,
      ),
    confirm: async (assetIds, signal) =>
      assetIds.length === 0
        ? []
        : admin(
            signal,
            (call) =>
              sdk.api.resources_by_asset_ids(assetIds, {
                ...call,
                tags: true,
                context: true,
                fields: listedFields,
              }),
            (reply) => readPage(reply).assets,
          ),
    budget: budget.current,
    health: outcomes.health,
    hostNow: clock.now,
    meteredCalls: () => metered,
    freeBytes: () => Promise.resolve(null),
    close: () => {
      clock.stop();
      uploads.destroy();
      calls.destroy();
      return Promise.resolve();
    },
  };
}

type Clear = (call: (publicIds: string[], options: AddressOptions) => Promise<unknown>) => Promise<undefined>;

/** Only an answer that names the asset proves that the call reached it. */
function sameAsset(asset: HostAsset, ref: AssetRef): HostAsset {
  if (asset.publicId === ref.publicId && asset.resourceType === ref.resourceType) return asset;
  throw new HoldfastError('HOST_REJECTED', 'the media host answered for another asset');
}

/** A refusal of this one request says nothing about the host's health; wrong credentials and silence do. */
function isFailureOfHost(error: HoldfastError): boolean {
  const { code, cause } = error;
  if (code !== 'HOST_REJECTED') return code === 'HOST_TIMEOUT';
  return !(cause instanceof HostFailure) || cause.transient || cause.status === 401 || cause.status === 403;
}
