import type { Asset, EmulatorControl } from '@holdfast/cloudinary-emulator';
import { redisKeys } from '@holdfast/shared/redis';
import type { HostFile } from './check/final-state.js';
import { isUncommitted } from './check/check-host.js';
import { sha256Of } from './clients/body.js';
import type { Media } from './clients/media.js';
import { inParallel } from './in-parallel.js';
import { areReady, type Stage } from './stage/stage.js';

const keys = redisKeys('holdfast');
const AT_ONCE = 8;

/** Every record of the catalog, page by page. Rejects when a page cannot be had. */
export async function listCatalog(api: string): Promise<Media[]> {
  const items: Media[] = [];
  let cursor: string | null = null;
  do {
    const answer: Response = await fetch(
      `${api}/api/media?limit=100${cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`}`,
      { signal: AbortSignal.timeout(20_000) },
    );
    if (!answer.ok) throw new Error(`the list answered ${String(answer.status)}`);
    const page = (await answer.json()) as { items: Media[]; nextCursor: string | null };
    items.push(...page.items);
    cursor = page.nextCursor;
  } while (cursor !== null);
  return items;
}

/** Where the service keeps its snapshots: no media. */
const SNAPSHOTS = 'holdfast-snapshots/';

async function listMedia(host: EmulatorControl): Promise<Asset[]> {
  return (await host.assets.list()).filter(({ publicId }) => !publicId.startsWith(SNAPSHOTS));
}

/** Every media asset of the host, with the hash of the bytes it has. */
export async function listHost({ host }: Pick<Stage, 'host'>): Promise<HostFile[]> {
  return inParallel(await listMedia(host), AT_ONCE, async ({ assetId, publicId, context, tags }) => {
    const bytes = await host.assets.bytes(assetId);
    return { assetId, publicId, context, tags, sha256: bytes === null ? null : sha256Of(bytes) };
  });
}

/** What is still under way; empty when the deployment has come to rest and everything has its place. */
export async function unfinished(stage: Stage): Promise<string[]> {
  const { redis, host, apis } = stage;
  if (!(await areReady(stage).catch(() => false))) return ['not every process is ready'];
  const left: string[] = [];
  const note = (what: string, count: number): void =>
    void (count > 0 && left.push(`${String(count)} ${what}`));
  const answer = await fetch(`${apis[0]?.url ?? ''}/api/media/database/status`, {
    signal: AbortSignal.timeout(5_000),
  });
  const status = (await answer.json()) as { mediaCount: number; byStatus: Record<string, number> };
  for (const [name, count] of Object.entries(status.byStatus))
    if (name !== 'verified' && name !== 'missing') note(name, count);
  note('intents', await redis.zcard(keys.intents));
  note('edits not on the host', await redis.zcard(keys.unpushed));
  const committed = (await listMedia(host)).filter((asset) => !isUncommitted(asset)).length;
  // What was deleted before a wipe may come back as missing, from a snapshot.
  const present = status.mediaCount - (status.byStatus['missing'] ?? 0);
  if (committed !== present) left.push(`${String(present)} records, ${String(committed)} committed assets`);
  return left;
}
