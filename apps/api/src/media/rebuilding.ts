import { setTimeout as pause } from 'node:timers/promises';
import type { Catalog } from '@holdfast/shared/catalog';
import { createBackoff } from '@holdfast/shared/lifecycle';
import type { SyncRun, SyncState } from '@holdfast/shared/sync';
import type { NewCatalog } from './new-catalog.js';

/** Whether an emptied catalog is being refilled at this moment. */
export interface Rebuilding {
  isOn(): Promise<boolean>;
  /**
   * Gets to know the catalog as it is at the start of the process, so that uploads do not make a new one look emptied. Where no
   * worker has begun it yet, its beginning is looked for until the signal aborts: it may be emptied before anybody asks.
   */
  begin(signal: AbortSignal): Promise<void>;
  /** To be called when a record was found: gets to know the catalog, so that its loss will be noticed. */
  noteFound(): void;
  /** When the catalog began, as this process last saw it; null before it has looked. */
  bornSeen(): string | null;
}

export interface RebuildingOptions {
  syncState: Pick<SyncState, 'readRunning' | 'readMarks'>;
  catalog: Pick<Catalog, 'bornAt'>;
  newCatalog: NewCatalog;
  /** Milliseconds of a clock that only goes forward. */
  now?: () => number;
}

const KNOWN_FOR_MS = 1_000;
/** So often a catalog that no worker has begun yet is asked for its beginning. */
const GET_TO_KNOW_MS = 10_000;
const FIRST_PAUSE_MS = 500;
/** So each pause is at most a quarter of the time waited so far, and a deployment without workers asks rarely. */
const GROWTH = 1.25;

/**
 * On while nobody has looked at the whole host since the catalog began, where it is not the one that this process knew, not a
 * new one (new-catalog.ts), or a run brings media back into it: what it lacks is not unknown then. On as well while a catalog
 * that was filled before is recovered.
 * That it is on is asked at most once a second, that it is off each time: the catalog may be gone since. When Redis does not
 * answer, no.
 */
export function watchRebuilding(options: RebuildingOptions): Rebuilding {
  const { syncState, catalog, newCatalog, now = () => performance.now() } = options;
  let knownOnAt = -Infinity;
  let askedAt = -Infinity;
  let bornSeen: string | null = null;
  // Stays so: what had something to lose once is not a new catalog.
  let lost = false;
  const getToKnow = async (): Promise<void> => {
    const born = await catalog.bornAt();
    bornSeen ??= born;
    if (born === null && bornSeen === null) await newCatalog.isNew();
  };
  const awaitBirth = async (signal: AbortSignal): Promise<void> => {
    const rests = createBackoff();
    for (let pauseMs = FIRST_PAUSE_MS; bornSeen === null;) {
      await pause(pauseMs, undefined, { signal, ref: false });
      const born = await catalog.bornAt().catch(() => undefined);
      pauseMs = born === undefined ? rests.nextMs() : Math.min(pauseMs * GROWTH, GET_TO_KNOW_MS);
      // One that was seen meanwhile may be an earlier one.
      bornSeen ??= born ?? null;
    }
  };
  return {
    bornSeen: () => bornSeen,
    isOn: async () => {
      const time = now();
      if (time - knownOnAt < KNOWN_FOR_MS) return true;
      const [running, born, marks] = await Promise.all([
        syncState.readRunning().catch(() => null),
        catalog.bornAt().catch(() => undefined),
        syncState.readMarks().catch(() => null),
      ]);
      if (born !== undefined && bornSeen !== null && born !== bornSeen) lost = true;
      // Without the marks nobody knows whether it was refilled: it is still to be got to know.
      if (typeof born === 'string' && marks !== null) bornSeen = born;
      // What tells of completed runs went with the catalog.
      const isFilled = marks?.lastFullAt !== null;
      const recovery = running?.run.trigger === 'recovery' ? running.run : null;
      // The first run of a new deployment is a recovery by name, and brings nothing back.
      if (recovery !== null && bringsBack(recovery)) lost = true;
      const on = isFilled ? recovery !== null : lost || !(await newCatalog.isNew());
      if (on) knownOnAt = time;
      return on;
    },
    begin: async (signal) => {
      await getToKnow().catch(() => undefined);
      // It ends with the process.
      void awaitBirth(signal).catch(() => undefined);
    },
    noteFound: () => {
      const time = now();
      if (bornSeen !== null || time - askedAt < GET_TO_KNOW_MS) return;
      askedAt = time;
      void getToKnow().catch(() => undefined);
    },
  };
}

/** Media that nobody uploads at this moment. */
function bringsBack({ created, findings }: SyncRun): boolean {
  return created > 0 || findings.some(({ code }) => code === 'SNAPSHOT_RESTORED');
}
