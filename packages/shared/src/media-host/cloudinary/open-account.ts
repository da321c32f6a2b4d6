import type { CloudinarySettings } from '../../config/index.js';
import { isHoldfastError, type HoldfastError } from '../../errors/index.js';
import type { Logger } from '../../logging/index.js';
import { createHostOutcomes } from '../host-outcomes.js';
import type { AssetRef, HostBudget, MediaHost, PutRequest } from '../media-host.js';
import { createAgentPool } from './agent-pool.js';
import { downloadFile } from './download-file.js';
import { createFiles } from './files.js';
import { createHostCaller, type HostCaller } from './host-caller.js';
import { watchHostClock, watchRateLimits } from './host-clock.js';
import { createListings } from './listings.js';
import { createPlacement } from './placement.js';
import { createPut } from './put.js';
import { createRateBudget } from './rate-budget.js';
import { loadSdk, type AddressOptions, type CallOptions, type CloudinarySdk } from './sdk.js';
import { createSingleAssets } from './single-assets.js';
import { hostTimeouts, type HostTimeouts } from './timeouts.js';
import { keepCharactersWhole } from './whole-characters.js';

export interface AccountOptions {
  log: Logger;
  /** `own.list` shows only public ids that begin with it. */
  prefix: string;
  /** Runs before each metered call. What it throws becomes the outcome of the call. */
  beforeMetered: () => void;
  /** `put` cuts larger bodies into parts of this size. */
  partBytes: number;
  timeouts?: Partial<HostTimeouts>;
}

/**
 * A Cloudinary account, for looking at how it behaves: the calls are those of the media host, and their answers are
 * there as they came. Methods reject as those of the media host do.
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
  /** By how much the host's clock is ahead of ours, in milliseconds; up to a second less, since it tells whole seconds. */
  aheadMs: () => number;
  budget: () => HostBudget | null;
  /** What metered calls were refused with, oldest first. */
  refusals: readonly HoldfastError[];
  close: () => void;
}

/** Calls that run at once. */
const SOCKETS = 2;

/** Throws CONFIG_INVALID as `createCloudinaryHost` does. */
export function openAccount(settings: CloudinarySettings, options: AccountOptions): CloudinaryAccount {
  const { log, prefix, beforeMetered, partBytes } = options;
  const timeouts = { ...hostTimeouts, ...options.timeouts };
  const sdk = loadSdk(settings.apiUrl);
  const uploads = createAgentPool(settings.apiUrl, SOCKETS);
  const calls = createAgentPool(settings.apiUrl, SOCKETS);
  const ours = (agent: unknown): boolean => uploads.carriesText(agent) || calls.carriesText(agent);
  const budget = createRateBudget(Date.now);
  const clock = watchHostClock(ours, Date.now);
  const limits = watchRateLimits((agent) => calls.carriesText(agent), budget.seen);
  const endDecoding = keepCharactersWhole(ours);
  const outcomes = createHostOutcomes(Date.now, log);
  const caller = createHostCaller({ settings, pool: calls, timeouts, outcomes, budget });

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
  const asItCame = (reply: unknown): unknown => reply;
  const tapped: HostCaller = {
    ...caller,
    signed: (signal, call, read) => caller.signed(signal, (access) => timed(call(access)), read),
    admin: async (signal, call, read) => {
      beforeMetered();
      try {
        return await caller.admin(signal, (access) => heard(call(access)), read);
      } catch (error) {
        if (isHoldfastError(error)) refusals.push(error);
        throw error;
      }
    },
  };

  const placement = createPlacement({
    folder: settings.folder,
    showConfig: () =>
      tapped.admin(undefined, (access) => sdk.api.config({ ...access, settings: true }), asItCame),
    log,
  });
  const put = createPut({
    sdk,
    pool: uploads,
    timeouts,
    access: caller.access,
    place: placement.place,
    parts: { above: partBytes, bytes: partBytes },
  });
  const narrowed: CloudinarySdk = {
    ...sdk,
    api: { ...sdk.api, resources: (asked) => sdk.api.resources({ ...asked, prefix }) },
  };
  const address = ({ resourceType }: AssetRef, access: CallOptions): AddressOptions => ({
    ...access,
    resource_type: resourceType,
    type: 'upload',
  });

  return {
    host: {
      ...createSingleAssets(sdk, tapped, placement.place),
      ...createListings(sdk, tapped, log),
      ...createFiles({ sdk, pool: uploads, timeouts, caller: tapped, place: placement.place, log }),
    },
    own: createListings(narrowed, tapped, log),
    replies,
    put: (request) => caller.observed(request.signal, () => timed(put(request))),
    rename: (ref, publicId, signal) =>
      tapped.signed(
        signal,
        (access) => sdk.uploader.rename(ref.publicId, publicId, address(ref, access)),
        asItCame,
      ),
    settings: (signal) =>
      tapped.admin(signal, (access) => sdk.api.config({ ...access, settings: true }), asItCame),
    usage: (signal) => tapped.admin(signal, (access) => sdk.api.usage(access), asItCame),
    search: (expression, signal) =>
      tapped.admin(signal, (access) => sdk.search.expression(expression).execute(access), asItCame),
    removeFolder: (path, signal) =>
      tapped.admin(signal, (access) => sdk.api.delete_folder(path, access), asItCame),
    deliver: (url, signal) =>
      caller.converted(signal, () => {
        const within = { deadlineMs: timeouts.pageMs, idleMs: timeouts.pageMs, signal };
        return downloadFile(url, uploads.lease('file'), within);
      }),
    answerMs,
    aheadMs: () => clock.now() - Date.now(),
    budget: budget.current,
    refusals,
    close: () => {
      clock.stop();
      limits.stop();
      endDecoding();
      uploads.destroy();
      calls.destroy();
    },
  };
}
