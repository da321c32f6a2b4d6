import type { SyncState } from '@holdfast/shared/sync';

/** Whether an emptied catalog is being refilled at this moment. */
export interface Rebuilding {
  isOn(): Promise<boolean>;
}

const KNOWN_FOR_MS = 1_000;

/** A recovery run is under way. Asked at most once a second; when Redis does not answer, no. */
export function watchRebuilding(syncState: Pick<SyncState, 'readRunning'>): Rebuilding {
  let known: { on: boolean; at: number } | undefined;
  return {
    isOn: async () => {
      const now = performance.now();
      if (known !== undefined && now - known.at < KNOWN_FOR_MS) return known.on;
      const running = await syncState.readRunning().catch(() => null);
      known = { on: running?.run.trigger === 'recovery', at: now };
      return known.on;
    },
  };
}
