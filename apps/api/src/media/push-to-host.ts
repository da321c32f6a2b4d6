import type { Catalog } from '@holdfast/shared/catalog';
import { carriedFields, writeHostMetadata, type MediaRecord } from '@holdfast/shared/media';
import type { MediaHost } from '@holdfast/shared/media-host';

export interface PushDependencies {
  catalog: Pick<Catalog, 'find' | 'notePushed'>;
  host: Pick<MediaHost, 'annotate'>;
}

/**
 * Writes what was edited to the asset. Whoever finds a newer revision after its own write writes again, so that of edits
 * that overtake each other the newest is the last on the host. Rejects when the host did not take it.
 */
export async function pushToHost(
  { catalog, host }: PushDependencies,
  edited: MediaRecord,
  signal: AbortSignal,
): Promise<void> {
  let pushed = edited;
  for (;;) {
    signal.throwIfAborted();
    const metadata = writeHostMetadata({ mark: { state: 'committed' }, fields: carriedFields(pushed) });
    await host.annotate(pushed, metadata, signal);
    const latest = await catalog.find(pushed.id);
    if (latest === null || latest.status === 'deleting') return;
    if (latest.revision <= pushed.revision) break;
    pushed = latest;
  }
  await catalog.notePushed(pushed.id, pushed.revision);
}
