import type { Catalog } from '@holdfast/shared/catalog';
import type { Intents } from '@holdfast/shared/intents';
import { publicIdFor } from '@holdfast/shared/media';
import { findOwnAssets, type MediaHost, type OwnAsset } from '@holdfast/shared/media-host';

/** What a request that died, or lost its claim, has left on the host under the id that its successor now has. */
export interface EarlierTry {
  /** It got as far as the commit mark: the media is there. */
  committed: OwnAsset | null;
  /** Never acknowledged, and never will be: its claim is gone. */
  unfinished: OwnAsset[];
}

export const nothingEarlier: EarlierTry = { committed: null, unfinished: [] };

const LOOK_WITHIN_MS = 5_000;

/** Asks the host. Rejects when it does not answer: nothing is guessed. */
export async function lookForEarlierTry(
  deps: {
    host: Pick<MediaHost, 'find'>;
    intents: Pick<Intents, 'publicIdOf'>;
    catalog: Pick<Catalog, 'find'>;
    folder: string;
  },
  id: string,
): Promise<EarlierTry> {
  const { host, intents, catalog, folder } = deps;
  // Raw files have a public id that the id alone does not tell.
  const publicId =
    (await catalog.find(id))?.publicId ?? (await intents.publicIdOf(id)) ?? publicIdFor(folder, id);
  const found = await findOwnAssets(host, folder, { id, publicId }, AbortSignal.timeout(LOOK_WITHIN_MS));
  return {
    committed: found.find(({ carried }) => carried.mark.state === 'committed') ?? null,
    unfinished: found.filter(({ carried }) => carried.mark.state === 'started'),
  };
}
