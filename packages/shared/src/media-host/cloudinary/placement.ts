import { statusOf } from '../media-host.js';
import { readFolderMode, shownFolderMode } from './replies.js';
import type { Connection } from './sdk.js';

/** Where the Media Library shows an asset, and under which name. Accounts with fixed folders have neither. */
export type Placed = Partial<Record<'asset_folder' | 'display_name', string>>;

export type Placement = ReturnType<typeof createPlacement>;

/** A client waits for the answer; without one the upload continues. */
const CONFIG_WITHIN_MS = 3_000;

/**
 * What this process knows of the account's folders, and what it sends because of that. Accounts have dynamic folders, unless they are
 * from before 2024 and never switched. Whether those ignore the two parameters or refuse them is not documented: a call that is
 * refused with them and accepted without them says so; from then on they are not sent.
 */
export function createPlacement({ sdk, admin, timeouts, log }: Connection) {
  let mode: 'unknown' | 'dynamic' | 'fixed' = 'unknown';
  let asked: Promise<void> | undefined;

  const ask = async (): Promise<void> => {
    const signal = AbortSignal.timeout(Math.min(timeouts.callMs, CONFIG_WITHIN_MS));
    try {
      mode = readFolderMode(await admin(signal, (call) => sdk.api.config({ ...call, settings: true })));
    } catch (error) {
      // Then they are sent: most accounts accept them.
      log.warn('host.folder_mode_unknown', { error });
    }
  };

  return {
    /** Whether what cannot be sent twice may carry them. Asks the host once, where nothing is known yet; a metered call. */
    isTaken: async (): Promise<boolean> => {
      if (mode === 'unknown') await (asked ??= ask());
      return mode !== 'fixed';
    },
    /** Runs an upload or a write with this folder and name, and again without where they are refused: no name for the console may cost an upload. */
    place: async (wanted: Placed, call: (placed: Placed) => Promise<unknown>): Promise<unknown> => {
      const placed = mode === 'fixed' ? {} : wanted;
      let refusal: unknown;
      const reply = await call(placed).catch((error: unknown) => {
        // The wording of the refusal is not documented.
        if (Object.keys(placed).length === 0 || statusOf(error) !== 400) throw error;
        refusal = error;
        return call({});
      });
      if (mode === 'unknown') mode = shownFolderMode(reply) ?? mode;
      // An account that shows a folder all the same has refused only this name.
      if (refusal !== undefined && mode !== 'dynamic') {
        mode = 'fixed';
        log.warn('host.placement_refused', { error: refusal });
      }
      return reply;
    },
  };
}
