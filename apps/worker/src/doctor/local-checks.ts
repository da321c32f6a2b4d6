import type { AssetRef, HostAsset, MediaHost } from '@holdfast/shared/media-host';
import { wrong, type Check } from './check.js';
import { doctorMark, md5Of, redPng, removeLeft } from './trial.js';

/** What the checks of the local host share. */
export interface LocalTrial {
  host: MediaHost;
  folder: string;
  runId: string;
  signal: AbortSignal;
  /** A file of this run. */
  ref: AssetRef;
}

const PAGE = 500;
const fix = 'Let the user of the process read and write below DATA_DIR, and look at the disk.';

/** What the local host needs of its disk. That it does the right thing there is a matter of our tests. */
export const localChecks: readonly Check<LocalTrial>[] = [
  {
    name: 'Leftovers',
    expected: 'none left by an earlier doctor',
    fix,
    try: async ({ host, folder, signal }) => {
      let removed = 0;
      for await (const assets of pages(host, signal))
        removed += await removeLeft(assets, host, { folder, hostNowMs: host.hostNow(), signal });
      return removed === 0 ? 'none' : `removed ${String(removed)}`;
    },
  },
  {
    name: 'Files',
    expected: 'stored, edited, listed, removed',
    means: 'Uploads would be refused, or lost.',
    fix,
    try: async ({ host, ref, runId, signal }) => {
      const { asset } = await host.put({ ref, metadata: doctorMark(runId, redPng), body: redPng, signal });
      if (asset.bytes !== redPng.length || asset.etag !== md5Of(redPng)) return wrong('stored other bytes');
      await host.annotate(ref, doctorMark(runId, redPng, { tags: ['sea'] }), signal);
      if ((await host.find(ref, signal))?.tags.join() !== 'sea') return wrong('an edit is not there');
      let isListed = false;
      for await (const assets of pages(host, signal))
        isListed ||= assets.some(({ assetId }) => assetId === asset.assetId);
      if (!isListed) return wrong('not listed');
      await host.remove(ref);
      return (await host.find(ref)) === null ? 'all four' : wrong('not removed');
    },
  },
];

async function* pages(host: MediaHost, signal: AbortSignal): AsyncGenerator<HostAsset[]> {
  let cursor: string | null = null;
  do {
    const request = { resourceType: 'image', cursor, limit: PAGE, signal } as const;
    const page: Awaited<ReturnType<MediaHost['list']>> = await host.list(request);
    yield page.assets;
    cursor = page.nextCursor;
  } while (cursor !== null);
}
