import {
  driftKinds,
  type DriftItem,
  type DriftKind,
  type SyncRun,
  type SyncState,
} from '@holdfast/shared/sync';

/** What a run writes into its report. */
export interface DriftNotes {
  /** Whether items of this kind are of interest still: this run leaves a report, and there is room in it. */
  takes(kind: DriftKind): boolean;
  /** Before something is done about them, so that a run which is killed right after does not forget them. */
  note(items: readonly DriftItem[]): Promise<void>;
  /** What was noted before, and turned out otherwise. */
  correct(items: readonly DriftItem[]): Promise<void>;
  /** Of media about which this run has nothing else to say. */
  noteOthers(items: readonly DriftItem[]): Promise<void>;
}

/** Full runs leave a report, and dry runs of any sort show theirs. */
export function createDriftNotes(
  state: Pick<SyncState, 'noteDrift'>,
  token: string,
  { runId, mode, dryRun }: Pick<SyncRun, 'runId' | 'mode' | 'dryRun'>,
): DriftNotes {
  const full = new Set<DriftKind>(mode === 'full' || dryRun ? [] : driftKinds);
  const takes = (kind: DriftKind): boolean => !full.has(kind);
  const write = async (items: readonly DriftItem[], onlyNew: boolean): Promise<void> => {
    const kinds = await state.noteDrift(token, { runId, dryRun, items, onlyNew });
    for (const kind of kinds) full.add(kind);
  };
  const wanted = (items: readonly DriftItem[]): DriftItem[] => items.filter(({ kind }) => takes(kind));
  return {
    takes,
    note: (items) => write(wanted(items), false),
    // Also where no more are kept: the items may be there.
    correct: (items) => write(mode === 'full' || dryRun ? items : [], false),
    noteOthers: (items) => write(wanted(items), true),
  };
}
