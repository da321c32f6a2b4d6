import { encodeContent, type VerifiedEntry } from '../catalog/index.js';
import { newMediaId, unmeasured, type MediaRecord } from '../media/index.js';

/** A plausible record of an uploaded image; give what the test is about. */
export function aRecord(over: Partial<MediaRecord> = {}): MediaRecord {
  const id = over.id ?? newMediaId();
  const createdAt = over.createdAt ?? new Date().toISOString();
  return {
    ...unmeasured,
    id,
    publicId: `holdfast/${id}`,
    assetId: Buffer.from(id.padEnd(32, '0')).toString('hex').slice(-32),
    resourceType: 'image',
    format: 'png',
    bytes: 1_234,
    width: 10,
    height: 20,
    durationSeconds: null,
    url: `https://res.example.com/image/upload/v1700000000/holdfast/${id}.png`,
    checksum: { sha256: Buffer.from(id.padEnd(32, 'x')).toString('hex').slice(0, 64), md5: 'ab'.repeat(16) },
    filename: 'a.png',
    title: 'A',
    description: '',
    category: 'nature',
    tags: ['sea'],
    uploadedBy: 'web',
    source: 'upload',
    createdAt,
    updatedAt: createdAt,
    revision: 1,
    hostVersion: 1_700_000_000,
    pushedRevision: 1,
    ...over,
  };
}

/** What `markVerified` is given of a record that was read back as it is here. */
export function proofOf(record: MediaRecord, attempts = 1): VerifiedEntry {
  return { id: record.id, content: encodeContent(record), attempts };
}
