import type { Catalog, VerifiedEntry, VerifiedOutcome } from '@holdfast/shared/catalog';
import type { DurabilityLevel } from '@holdfast/shared/config';
import { createBatch } from '@holdfast/shared/batch';

export interface Confirmed {
  level: DurabilityLevel;
  entry: VerifiedEntry;
}

export type MarkVerified = (confirmed: Confirmed) => Promise<VerifiedOutcome>;

/** Sets records verified, many in one step, each level on its own. */
export function createMarkVerified(catalog: Pick<Catalog, 'markVerified'>): MarkVerified {
  const mark = async (all: Confirmed[]): Promise<VerifiedOutcome[]> => {
    const outcomes: VerifiedOutcome[] = [];
    const now = new Date();
    for (const level of new Set(all.map((one) => one.level))) {
      const places = [...all.keys()].filter((place) => all[place]?.level === level);
      const entries = places.flatMap((place) => all[place]?.entry ?? []);
      const answered = await catalog.markVerified(level, now, entries);
      for (const [index, place] of places.entries()) outcomes[place] = answered[index] ?? 'absent';
    }
    return outcomes;
  };
  return createBatch(mark);
}
