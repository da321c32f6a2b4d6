import { createHash } from 'node:crypto';
import { newMediaId, publicIdFor, type MediaRecord } from '@holdfast/shared/media';
import { aRecord } from '@holdfast/shared/testing';

const CATEGORIES = 20;
const TAGS = 50;

/** The `n`th of many records as uploads make them: a category of twenty, three tags of fifty, texts of usual length. */
export function sampleRecord(n: number, createdMs: number): MediaRecord {
  const id = newMediaId(createdMs);
  const hash = (name: string): string => createHash(name).update(id).digest('hex');
  const createdAt = new Date(createdMs).toISOString();
  const publicId = publicIdFor('holdfast', id);
  return aRecord({
    id,
    publicId,
    assetId: hash('md5'),
    resourceType: n % 10 === 0 ? 'video' : 'image',
    bytes: 100_000 + n,
    width: 1_920,
    height: 1_080,
    url: `https://res.cloudinary.com/demo/image/upload/v1700000000/${publicId}.png`,
    checksum: { sha256: hash('sha256'), md5: hash('md5') },
    filename: `IMG_${String(n).padStart(6, '0')}.png`,
    title: `Harbour at dawn ${String(n)}`,
    description: 'Boats in the old harbour, seen from the mole, an hour before noon.',
    category: `category-${String(n % CATEGORIES)}`,
    tags: [0, 17, 31].map((step) => `tag-${String((n + step) % TAGS)}`),
    createdAt,
    updatedAt: createdAt,
  });
}
