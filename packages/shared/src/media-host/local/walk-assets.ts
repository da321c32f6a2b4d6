import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { foldersOf, isAssetId } from './asset-id.js';
import { unlessMissing } from './disk-errors.js';

export interface WalkOptions {
  /** Asset id after which to go on; null = from the start. */
  after: string | null;
  /** Only assets that changed at or after this time, in milliseconds since the epoch. */
  changedSince?: number;
}

export interface WalkedAsset {
  assetId: string;
  /** True when a file with replaced metadata is there. */
  edited: boolean;
}

/** Time stamps of files lag behind the clock by a tick of the kernel. */
const CLOCK_SLACK_MS = 1_000;

/**
 * The assets of one type in the order of their names, which is that of their creation. Reads names only, one folder at
 * a time, and with `changedSince` only folders that changed.
 */
export async function* walkAssets(
  typeFolder: string,
  { after, changedSince }: WalkOptions,
): AsyncGenerator<WalkedAsset, void, undefined> {
  const [first, second] = after === null ? ['', ''] : foldersOf(after);
  const since = changedSince === undefined ? null : changedSince - CLOCK_SLACK_MS;
  for (const outer of await names(typeFolder)) {
    if (outer < first) continue;
    const outerFolder = join(typeFolder, outer);
    if (since !== null && !(await changed(outerFolder, since))) continue;
    for (const inner of await names(outerFolder)) {
      if (outer === first && inner < second) continue;
      const folder = join(outerFolder, inner);
      if (since !== null && !(await changed(folder, since))) continue;
      const resumed = outer === first && inner === second ? after : null;
      yield* assetsIn(folder, resumed, since);
    }
  }
}

async function* assetsIn(
  folder: string,
  after: string | null,
  since: number | null,
): AsyncGenerator<WalkedAsset, void, undefined> {
  const all = await names(folder);
  const edits = new Map(
    all.filter((name) => name.endsWith('.meta')).map((name) => [name.slice(0, 32), name]),
  );
  for (const name of all) {
    const id = name.slice(0, 32);
    if (!isAssetId(id) || name !== `${id}.json` || (after !== null && id <= after)) continue;
    const edit = edits.get(id);
    if (
      since === null ||
      (await changed(join(folder, name), since)) ||
      (edit !== undefined && (await changed(join(folder, edit), since)))
    )
      yield { assetId: id, edited: edit !== undefined };
  }
}

async function names(folder: string): Promise<string[]> {
  return ((await unlessMissing(readdir(folder))) ?? []).toSorted();
}

/** By the change time too: a rename or link into place does not alter a file's own modification time. */
async function changed(path: string, since: number): Promise<boolean> {
  const found = await unlessMissing(stat(path));
  return found !== null && (found.ctimeMs >= since || found.mtimeMs >= since);
}
