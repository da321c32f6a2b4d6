import type { HostMetadata } from '../../media/index.js';
import { statusOf } from '../failures.js';
import type { AssetRef } from '../media-host.js';
import { readFolderMode, shownFolderMode } from './replies.js';
import type { Connection } from './sdk.js';

/** Where the Media Library shows an asset, and under which name. Accounts with fixed folders have neither. */
interface PlacementOptions {
  asset_folder?: string;
  display_name?: string;
}

/** What this process knows of the account's folders, and what it sends because of that. */
export interface Placement {
  /** Runs an upload or a write with the folder and name of our own asset, and again without where they are refused. */
  place: (placed: Placed, call: (placement: PlacementOptions) => Promise<unknown>) => Promise<unknown>;
  /** Whether uploads of clients may carry both. Asks the host once, where nothing is known yet; a metered call. */
  isTaken: () => Promise<boolean>;
}

/**
 * A stream cannot be sent twice, and no name for the console may cost an upload: the edit that commits it brings its name, and its
 * folder where it is not known yet that the account has any. Other edits leave the folder alone.
 */
interface Placed {
  ref: AssetRef;
  metadata: Pick<HostMetadata, 'displayName'>;
  /** Where it goes, if not into our own folder. */
  folder?: string;
  kind: 'upload' | 'stream' | 'edit' | 'look';
}

/** A client waits for the answer, and does without it. */
const CONFIG_WITHIN_MS = 3_000;

/**
 * Accounts have dynamic folders, unless they are from before 2024 and never switched. Whether those ignore the two parameters or
 * refuse them is not documented: a call that is refused with them and accepted without them says so; from then on they are not sent.
 */
export function createPlacement({ sdk, admin, settings, timeouts, log }: Connection): Placement {
  let mode: 'unknown' | 'dynamic' | 'fixed' = 'unknown';
  let asked: Promise<void> | undefined;
  const unplaced = new Set<string>();

  const optionsFor = ({ ref, metadata, folder = settings.folder, kind }: Placed): PlacementOptions => {
    const { displayName } = metadata;
    if (displayName === undefined || mode === 'fixed' || kind === 'look') return {};
    if (kind === 'stream') {
      if (mode === 'dynamic') return { asset_folder: folder };
      unplaced.add(ref.publicId);
      return {};
    }
    const isPlaced = kind === 'edit' && !unplaced.has(ref.publicId);
    return { display_name: displayName, ...(isPlaced ? {} : { asset_folder: folder }) };
  };

  const ask = async (): Promise<void> => {
    try {
      const signal = AbortSignal.timeout(Math.min(timeouts.callMs, CONFIG_WITHIN_MS));
      mode = readFolderMode(await admin(signal, (call) => sdk.api.config({ ...call, settings: true })));
    } catch (error) {
      // They are sent then: most accounts take them.
      log.warn('host.folder_mode_unknown', { error });
    }
  };

  return {
    place: async (placed, call) => {
      const options = optionsFor(placed);
      let refusal: unknown;
      const reply = await call(options).catch((error: unknown) => {
        const isSentTwice = Object.keys(options).length > 0 && placed.kind !== 'stream';
        // In which words they are refused is not documented.
        if (!isSentTwice || statusOf(error) !== 400) throw error;
        refusal = error;
        return call({});
      });
      if (mode === 'unknown') mode = shownFolderMode(reply) ?? mode;
      if (placed.kind === 'edit') unplaced.delete(placed.ref.publicId);
      // An account that shows a folder all the same has refused only this name.
      if (refusal !== undefined && mode !== 'dynamic') {
        mode = 'fixed';
        log.warn('host.placement_refused', { error: refusal });
      }
      return reply;
    },
    isTaken: async () => {
      if (mode === 'unknown') await (asked ??= ask());
      return mode !== 'fixed';
    },
  };
}
