import type { Asset } from './asset.js';
import type { SeedBlock } from './seed-template.js';

/**
 * An asset whose fields are computed when they are read, so that a million of them cost little more than
 * their ids. A class because the getters must live on the prototype, once for all.
 */
export class SyntheticAsset implements Asset {
  readonly block: SeedBlock;
  readonly n: number;
  readonly seq: number;
  readonly publicId: string;
  readonly assetId: string;

  constructor(block: SeedBlock, n: number, seq: number) {
    this.block = block;
    this.n = n;
    this.seq = seq;
    this.publicId = block.publicId(n);
    this.assetId = block.assetId(n);
  }

  get resourceType() {
    return this.block.resourceType;
  }
  get type() {
    return this.block.type;
  }
  get format() {
    return this.block.format;
  }
  get bytes() {
    return this.block.bytes;
  }
  get etag() {
    return this.block.etag(this.n);
  }
  get width() {
    return this.block.width;
  }
  get height() {
    return this.block.height;
  }
  get duration() {
    return this.block.duration;
  }
  get createdAt() {
    return this.block.createdAt(this.n);
  }
  get uploadedAt() {
    return this.createdAt;
  }
  get version() {
    return this.createdAt;
  }
  get updatedAt() {
    return this.createdAt;
  }
  get publicIdUpdatedAt() {
    return null;
  }
  get tagsUpdatedAt() {
    return null;
  }
  get contextUpdatedAt() {
    return null;
  }
  get metadataUpdatedAt() {
    return null;
  }
  get tags() {
    return this.block.tags(this.n);
  }
  get context() {
    return this.block.context(this.n);
  }
  get metadata() {
    return {};
  }
  get originalFilename() {
    return `seed-${this.n}`;
  }
  get assetFolder() {
    return '';
  }
  get displayName() {
    return this.publicId.slice(this.publicId.lastIndexOf('/') + 1);
  }
  get blob() {
    return null;
  }
}
