import {
  idFromPublicId,
  readHostMetadata,
  recordFromAsset,
  withKnown,
  type Carried,
  type MediaRecord,
  type MediaSource,
} from '@holdfast/shared/media';
import type { HostAsset } from '@holdfast/shared/media-host';

/** An asset as a page showed it, read once. */
export interface Sighting {
  asset: HostAsset;
  /** The record it would get where we have none. */
  fresh: MediaRecord;
  /** What Holdfast wrote on it; null for an asset that others put there. */
  carried: Carried | null;
  /** Under which its record may be found: the id it would get, that in its mark, that in its public id. */
  ids: readonly string[];
}

/** The same, with what our record knows and the answer left out. */
export function completed(
  { asset: shown, carried: read, ids }: Sighting,
  known: MediaRecord,
  folder: string,
): Sighting {
  const asset = withKnown(shown, known);
  const carried = read === null ? null : { ...read, fields: { ...read.fields, tags: [...asset.tags] } };
  return { asset, carried, ids, fresh: recordFromAsset(asset, folder, known.source, carried) };
}

/** `source` is how a foreign asset came to be seen. */
export function sightingOf(asset: HostAsset, folder: string, source: MediaSource = 'sync'): Sighting {
  const carried = readHostMetadata(asset);
  const fresh = recordFromAsset(asset, folder, source, carried);
  const ids = [fresh.id];
  if (carried !== null && carried.fields.id !== fresh.id) ids.push(carried.fields.id);
  // An asset that carries the id it gets has it in its public id too, or is found by its asset id.
  if (carried?.fields.id !== fresh.id) {
    const inPublicId = idFromPublicId(folder, asset);
    if (inPublicId !== null && !ids.includes(inPublicId)) ids.push(inPublicId);
  }
  return { asset, fresh, carried, ids };
}
