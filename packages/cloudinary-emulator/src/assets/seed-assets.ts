import type { AssetStore } from './asset-store.js';
import { seedBlock, type SeedTemplate } from './seed-template.js';
import { SyntheticAsset } from './synthetic-asset.js';

/** A request for synthetic assets, complete enough to make the same ones again. */
export interface Seed {
  count: number;
  /** Sequence number of the first one; also tells the seeds of one emulator apart. */
  salt: number;
  template: SeedTemplate & { createdAt: number };
}

const HOUR_SECONDS = 3600;

/** Fills in what makes a seed repeatable. */
export function planSeed(count: number, template: SeedTemplate, salt: number, nowSeconds: number): Seed {
  const seconds = Math.ceil(count / (template.perSecond ?? 10));
  return {
    count,
    salt,
    template: { ...template, createdAt: template.createdAt ?? nowSeconds - HOUR_SECONDS - seconds },
  };
}

/** Adds the assets of a seed; throws when its public ids are not new. */
export function seedAssets(seed: Seed, assets: AssetStore): void {
  const { count, template } = seed;
  const first = template.first ?? 0;
  const block = seedBlock(template, seed.salt);
  const probe = assets.get(block.resourceType, block.type, block.publicId(first));
  if (probe !== undefined)
    throw new Error(`There is an asset ${probe.publicId} already: choose another publicId or first`);
  if (count > 1 && block.publicId(first) === block.publicId(first + 1)) {
    throw new Error('The publicId of a seed must hold {n} or {ulid}');
  }
  assets.load(syntheticAssets());

  function* syntheticAssets() {
    for (let index = 0; index < count; index += 1) {
      yield new SyntheticAsset(block, first + index, seed.salt + index);
    }
  }
}
