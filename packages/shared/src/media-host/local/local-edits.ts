import { readdir, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError, isHoldfastError } from '../../errors/index.js';
import type { HostMetadata } from '../../media/index.js';
import type { AssetRef, HostAsset } from '../media-host.js';
import {
  bytesPath,
  metadataPath,
  placeOfRef,
  readIdentity,
  toHostAsset,
  type AssetPlace,
} from './asset-files.js';
import { currentEtag } from './current-etag.js';
import { unlessMissing } from './disk-errors.js';
import { removeFile, syncFolder, writeDurably } from './durable-files.js';
import type { Staging } from './staging.js';

export interface LocalEditsParts {
  root: string;
  staging: Staging;
  touched: (place: AssetPlace) => Promise<void>;
}

/** Describing and removing an asset, each by one rename, so that a crash leaves the old state or the new. */
export function createLocalEdits({ root, staging, touched }: LocalEditsParts) {
  return {
    annotate: async (ref: AssetRef, { context, tags }: HostMetadata): Promise<HostAsset> => {
      const place = placeOfRef(root, ref);
      const known = await readIdentity(place);
      if (known === null) throw new HoldfastError('MEDIA_NOT_FOUND');
      const metadata = { context: { ...context }, tags: [...tags] };
      const staged = join(await staging.folder(), `${staging.newToken()}.meta`);
      await writeDurably(staged, JSON.stringify(metadata));
      const target = metadataPath(place, known.token);
      await rename(staged, target);
      // Looked at after the rename: a removal in between must leave no metadata behind, and never be answered with success.
      const path = bytesPath(place, known.token);
      const [after, bytes] = await Promise.all([readIdentity(place), unlessMissing(stat(path))]);
      if (after?.token !== known.token || bytes === null) {
        await removeFile(target);
        throw new HoldfastError('MEDIA_NOT_FOUND');
      }
      await syncFolder(place.folder);
      await touched(place);
      const etag = await currentEtag(path, bytes, known);
      return toHostAsset(place.assetId, known, { bytes: bytes.size, etag, metadata });
    },

    remove: async (ref: AssetRef): Promise<'removed' | 'absent'> => {
      const place = placeOfRef(root, ref);
      const known = await readIdentity(place).catch((error: unknown) => {
        if (isHoldfastError(error, 'ASSET_UNREADABLE')) return 'unreadable' as const;
        throw error;
      });
      if (known === null) return 'absent';
      if (known === 'unreadable') return removeUnread(place);
      // Moving the identity away is the removal; what follows is finished from staging after a crash.
      const staged = join(await staging.folder(), `${known.token}.json`);
      const moved = await unlessMissing(rename(place.identity, staged).then(() => true));
      if (moved === null) return 'absent';
      await syncFolder(place.folder);
      await removeFile(bytesPath(place, known.token));
      await removeFile(metadataPath(place, known.token));
      await removeFile(staged);
      return 'removed';
    },
  };
}

/** What the files of an asset are called shows only their names when its identity is damaged. That goes first, as ever. */
async function removeUnread(place: AssetPlace): Promise<'removed'> {
  await removeFile(place.identity);
  await syncFolder(place.folder);
  const names = (await unlessMissing(readdir(place.folder))) ?? [];
  for (const name of names)
    if (name.startsWith(`${place.assetId}.`)) await removeFile(join(place.folder, name));
  return 'removed';
}
