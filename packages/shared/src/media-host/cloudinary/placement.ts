import type { HostMetadata } from '../../media/index.js';
import type { AssetRef } from '../media-host.js';
import type { Connection } from './connection.js';
import { readFolderMode, shownFolderMode } from './replies.js';
import { statusOf, type PlacementOptions } from './sdk.js';

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

  const seen = (reply: unknown, { ref, kind }: Placed): unknown => {
    if (mode === 'unknown') mode = shownFolderMode(reply) ?? mode;
    if (kind === 'edit') unplaced.delete(ref.publicId);
    return reply;
  };

  const optionsFor = ({ ref, metadata: { displayName }, folder, kind }: Placed): PlacementOptions => {
    const isPlacedNow = kind === 'edit' ? unplaced.has(ref.publicId) : kind !== 'look';
    if (displayName === undefined || mode === 'fixed' || kind === 'look') return {};
    if (kind === 'stream' && mode === 'unknown') {
      unplaced.add(ref.publicId);
      return {};
    }
    const place = isPlacedNow ? { asset_folder: folder ?? settings.folder } : {};
    return kind === 'stream' ? place : { ...place, display_name: displayName };
  };

  const ask = async (): Promise<void> => {
    try {
      mode = await admin(
        AbortSignal.timeout(Math.min(timeouts.callMs, CONFIG_WITHIN_MS)),
        (call) => sdk.api.config({ ...call, settings: true }),
        readFolderMode,
      );
    } catch (error) {
      // They are sent then: most accounts take them.
      log.warn('host.folder_mode_unknown', { error });
    }
  };

  return {
    place: async (placed, call) => {
      const placement = optionsFor(placed);
      if (Object.keys(placement).length === 0) return seen(await call({}), placed);
      try {
        return seen(await call(placement), placed);
      } catch (error) {
        // In which words they are refused is not documented.
        if (placed.kind === 'stream' || statusOf(error) !== 400) throw error;
        // An account that shows a folder all the same has refused only this name.
        const reply = seen(await call({}), placed);
        if (mode !== 'dynamic') {
          mode = 'fixed';
          log.warn('host.placement_refused', { error });
        }
        return reply;
      }
    },
    isTaken: async () => {
      if (mode === 'unknown') await (asked ??= ask());
      return mode !== 'fixed';
    },
  };
}
