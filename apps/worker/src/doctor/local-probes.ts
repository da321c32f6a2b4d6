import type { LocalHostSettings } from '@holdfast/foundation/config';
import { doctorPrefix } from '@holdfast/shared/media';
import type { AssetRef, HostAsset, MediaHost } from '@holdfast/shared/media-host';
import { NotRun, ok, wrong, type Probe } from './probe.js';
import { doctorMark, isDoctors, isLeft, md5Of, redPng } from './trial.js';

/** What the probes of the local host share. */
export interface LocalTrial {
  host: MediaHost;
  local: LocalHostSettings;
  runId: string;
  signal: AbortSignal;
  ref: AssetRef;
  stored: HostAsset | null;
}

const PAGE = 500;
const FIX = 'Let the user of the process read and write below DATA_DIR, and look at the disk.';

/** A file in the folder of this run. */
export function localRef({ folder }: LocalHostSettings, runId: string): AssetRef {
  return { publicId: `${doctorPrefix(folder)}${runId}-image`, resourceType: 'image' };
}

const theFile = ({ stored }: LocalTrial): HostAsset => {
  if (stored === null) throw new NotRun('no test file was stored');
  return stored;
};

/** The assumptions about the local host: those of the media host that do not depend on Cloudinary. */
export const localProbes: readonly Probe<LocalTrial>[] = [
  {
    name: 'Leftovers',
    expected: 'none of an earlier doctor',
    fix: FIX,
    run: async ({ host, local, signal }) => {
      let removed = 0;
      for await (const asset of images(host, signal))
        if (isDoctors(local.folder, asset) && isLeft(asset.uploadedAt, host.hostNow()))
          removed += Number((await host.remove(asset, signal)) === 'removed');
      return ok(removed === 0 ? 'none' : `removed ${String(removed)}`);
    },
  },
  {
    name: 'Store',
    expected: 'keeps the bytes and their MD5',
    fix: FIX,
    gate: true,
    run: async (trial) => {
      const { host, ref, runId, signal } = trial;
      const { asset } = await host.put({ ref, metadata: doctorMark(runId, redPng), body: redPng, signal });
      trial.stored = asset;
      return asset.bytes === redPng.length && asset.etag === md5Of(redPng)
        ? ok(`${String(asset.bytes)} bytes, same MD5`)
        : wrong('other bytes', 'Uploads would be refused.');
    },
  },
  {
    name: 'Find',
    expected: 'by name and by id',
    fix: FIX,
    run: async (trial) => {
      const { host, ref, signal } = trial;
      const { assetId } = theFile(trial);
      const found = await host.find(ref, signal);
      const {
        assets: [confirmed],
      } = await host.confirm([assetId], signal);
      return found?.assetId === assetId && confirmed?.assetId === assetId
        ? ok('both')
        : wrong('not found', 'Files would be marked missing that are there.');
    },
  },
  {
    name: 'Edit',
    expected: 'replaces context and tags',
    fix: FIX,
    run: async (trial) => {
      const { host, ref, runId, signal } = trial;
      theFile(trial);
      const metadata = doctorMark(runId, redPng, { tags: ['sea'] });
      await host.annotate(ref, metadata, signal);
      const found = await host.find(ref, signal);
      return found?.tags.join() === 'sea' && found.context['hf_id'] === runId
        ? ok('replaced')
        : wrong('not as written', 'Edits would be lost.');
    },
  },
  {
    name: 'List',
    expected: 'shows the file',
    fix: FIX,
    run: async (trial) => {
      const { assetId } = theFile(trial);
      for await (const asset of images(trial.host, trial.signal))
        if (asset.assetId === assetId) return ok('shown');
      return wrong('not shown', 'Syncs would not see files that are there.');
    },
  },
  {
    name: 'Remove',
    expected: 'nothing is left',
    fix: FIX,
    run: async (trial) => {
      theFile(trial);
      const { host, ref } = trial;
      await host.remove(ref);
      return (await host.find(ref)) === null
        ? ok('nothing')
        : wrong(ref.publicId, 'Deleted files would stay.');
    },
  },
];

async function* images(host: MediaHost, signal: AbortSignal): AsyncGenerator<HostAsset> {
  let cursor: string | null = null;
  do {
    const page: Awaited<ReturnType<MediaHost['list']>> = await host.list({
      resourceType: 'image',
      cursor,
      limit: PAGE,
      signal,
    });
    yield* page.assets;
    cursor = page.nextCursor;
  } while (cursor !== null);
}
