import type { AssetRef, HostAsset, MediaHost } from '@holdfast/shared/media-host';
import { NotRun, wrong, type Check } from './check.js';
import { doctorMark, md5Of, redPng, removeLeft } from './trial.js';

/** What the checks of the local host share. */
export interface LocalTrial {
  host: MediaHost;
  folder: string;
  runId: string;
  signal: AbortSignal;
  /** A file in the folder of this run. */
  ref: AssetRef;
  stored: HostAsset | null;
}

const PAGE = 500;
const fix = 'Let the user of the process read and write below DATA_DIR, and look at the disk.';

const theId = ({ stored }: LocalTrial): string => {
  if (stored === null) throw new NotRun('no test file was stored');
  return stored.assetId;
};

/** The assumptions about the local host: those of the media host that do not depend on Cloudinary. */
export const localChecks: readonly Check<LocalTrial>[] = [
  {
    name: 'Leftovers',
    expected: 'none of an earlier doctor',
    fix,
    try: async ({ host, folder, signal }) => {
      let removed = 0;
      for await (const assets of pages(host, signal))
        removed += await removeLeft(assets, host, { folder, hostNowMs: host.hostNow(), signal });
      return removed === 0 ? 'none' : `removed ${String(removed)}`;
    },
  },
  {
    name: 'Store',
    expected: 'keeps the bytes and their MD5',
    means: 'Uploads would be refused.',
    fix,
    gate: true,
    try: async (trial) => {
      const { host, ref, runId, signal } = trial;
      const { asset } = await host.put({ ref, metadata: doctorMark(runId, redPng), body: redPng, signal });
      trial.stored = asset;
      const isSame = asset.bytes === redPng.length && asset.etag === md5Of(redPng);
      return isSame ? `${String(asset.bytes)} bytes, same MD5` : wrong('other bytes');
    },
  },
  {
    name: 'Find',
    expected: 'by name and by id',
    means: 'Files would be marked missing that are there.',
    fix,
    try: async (trial) => {
      const { host, ref, signal } = trial;
      const found = await host.find(ref, signal);
      const { assets } = await host.confirm([theId(trial)], signal);
      return [found, ...assets].every((asset) => asset?.assetId === theId(trial)) && assets.length === 1
        ? 'both'
        : wrong('not found');
    },
  },
  {
    name: 'Edit',
    expected: 'replaces context and tags',
    means: 'Edits would be lost.',
    fix,
    try: async ({ host, ref, runId, signal }) => {
      await host.annotate(ref, doctorMark(runId, redPng, { tags: ['sea'] }), signal);
      const found = await host.find(ref, signal);
      const isKept = found?.tags.join() === 'sea' && found.context['hf_id'] === runId;
      return isKept ? 'replaced' : wrong('not as written');
    },
  },
  {
    name: 'List',
    expected: 'shows the file',
    means: 'Syncs would not see files that are there.',
    fix,
    try: async (trial) => {
      for await (const assets of pages(trial.host, trial.signal))
        if (assets.some(({ assetId }) => assetId === theId(trial))) return 'shown';
      return wrong('not shown');
    },
  },
  {
    name: 'Remove',
    expected: 'nothing is left',
    means: 'Deleted files would stay.',
    fix,
    try: async ({ host, ref }) => {
      await host.remove(ref);
      return (await host.find(ref)) === null ? 'nothing' : wrong(ref.publicId);
    },
  },
];

async function* pages(host: MediaHost, signal: AbortSignal): AsyncGenerator<HostAsset[]> {
  let after: string | null = null;
  do {
    const request = { resourceType: 'image', cursor: after, limit: PAGE, signal } as const;
    const { assets, nextCursor }: Awaited<ReturnType<MediaHost['list']>> = await host.list(request);
    yield assets;
    after = nextCursor;
  } while (after !== null);
}
