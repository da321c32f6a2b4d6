import type { CloudinarySettings } from '../../config/index.js';
import type { Logger } from '../../logging/index.js';
import { createHostOutcomes } from '../host-outcomes.js';
import type { MediaHost } from '../media-host.js';
import { createAgentPool } from './agent-pool.js';
import { refuseRenamed } from './altered-upload.js';
import { createFiles } from './files.js';
import { createHostCaller } from './host-caller.js';
import { watchHostClock, watchRateLimits } from './host-clock.js';
import { createListings } from './listings.js';
import { createPlacement } from './placement.js';
import { createPut } from './put.js';
import { createRateBudget } from './rate-budget.js';
import { readAsset } from './reply-schemas.js';
import { loadSdk } from './sdk.js';
import { createSingleAssets, sameAsset } from './single-assets.js';
import { hostTimeouts, type HostTimeouts } from './timeouts.js';
import { keepCharactersWhole } from './whole-characters.js';

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

/** A client waits for the answer, and does without it. */
const CONFIG_WITHIN_MS = 3_000;
/** Sockets kept for calls other than uploads: so many looks a sweep has under way at once, and TLS makes new ones dear. */
const IDLE_CALLS = 48;

/** Cloudinary through its SDK. Throws CONFIG_INVALID when this process already uses the SDK with the other protocol. */
export function createCloudinaryHost(
  settings: CloudinarySettings,
  options: CloudinaryHostOptions,
): MediaHost {
  const { log, now = Date.now, parts } = options;
  const timeouts = { ...hostTimeouts, ...options.timeouts };
  const sdk = loadSdk(settings.apiUrl);
  const uploads = createAgentPool(settings.apiUrl, options.uploadSlots);
  const calls = createAgentPool(settings.apiUrl, IDLE_CALLS);
  const outcomes = createHostOutcomes(now, log);
  const budget = createRateBudget(now);
  const ours = (agent: unknown): boolean => uploads.carriesText(agent) || calls.carriesText(agent);
  const clock = watchHostClock(ours, now);
  const limits = watchRateLimits((agent) => calls.carriesText(agent), budget.seen);
  const endDecoding = keepCharactersWhole(ours);
  const caller = createHostCaller({ settings, pool: calls, timeouts, outcomes, budget });
  const placement = createPlacement({
    folder: settings.folder,
    showConfig: () =>
      caller.admin(
        AbortSignal.timeout(Math.min(timeouts.callMs, CONFIG_WITHIN_MS)),
        (call) => sdk.api.config({ ...call, settings: true }),
        (reply) => reply,
      ),
    log,
  });
  const single = createSingleAssets(sdk, caller, placement.place);
  const put = createPut({
    sdk,
    pool: uploads,
    timeouts,
    access: caller.access,
    place: placement.place,
    ...(parts === undefined ? {} : { parts }),
  });
  return {
    kind: 'cloudinary',
    identity: `cloudinary:${settings.cloudName}`,
    put: async (request) => {
      const { ref, metadata, signal } = request;
      const { asset, existed } = await caller.observed(signal, async () => readAsset(await put(request)));
      const isOurs = !existed && asset.context['hf_id'] === metadata.context['hf_id'];
      if (isOurs && asset.publicId !== ref.publicId) await refuseRenamed(single, asset, ref.publicId, log);
      sameAsset(asset, ref);
      // The short answer about an older asset may lack its metadata.
      return { asset: existed ? ((await single.find(ref, signal)) ?? asset) : asset, existed };
    },
    ...single,
    ...createListings(sdk, caller, log),
    ...createFiles({ sdk, pool: uploads, timeouts, caller, place: placement.place, log }),
    budget: budget.current,
    health: outcomes.health,
    placesUploads: placement.isTaken,
    uploadRefusal: () => null,
    admitUpload: () => undefined,
    hostNow: clock.now,
    meteredCalls: caller.metered,
    freeBytes: () => Promise.resolve(null),
    close: () => {
      clock.stop();
      limits.stop();
      endDecoding();
      uploads.destroy();
      calls.destroy();
      return Promise.resolve();
    },
  };
}
