import type { Media } from './clients/media.js';
import { listCatalog, unfinished } from './observe.js';
import type { Stage } from './stage/stage.js';
import { until } from './until.js';

/** Longer than promised, so that a run that comes late shows how late. */
const WAIT_MS = 240_000;
const LOOK_EVERY_MS = 500;

/** Waits until nothing is under way. `elapsed` counts from the end of the last fault. */
export async function awaitRest(
  stage: Stage,
  elapsed: () => number,
): Promise<{ convergedMs: number | null; unsettled: string }> {
  let unsettled = '';
  const rested = await until(WAIT_MS, LOOK_EVERY_MS, async () => {
    const left = await unfinished(stage);
    if (left.length > 0) unsettled = `last: ${left.join(', ')}`;
    return left.length === 0;
  });
  return { convergedMs: rested ? elapsed() : null, unsettled };
}

/** Kills Redis once more, and names the records that were verified as on its disk and are gone. */
export async function goneAfterKillOf(stage: Stage, records: readonly Media[]): Promise<string[]> {
  await stage.redisFaults.kill(0);
  const api = stage.apis[0]?.url ?? '';
  let after: Media[] = [];
  await until(WAIT_MS, LOOK_EVERY_MS, async () => {
    after = await listCatalog(api);
    return true;
  });
  const left = new Set(after.map(({ id }) => id));
  return records
    .filter(
      ({ id, status, persistence }) =>
        status === 'verified' && persistence.level === 'fsynced' && !left.has(id),
    )
    .map(({ id }) => id);
}
