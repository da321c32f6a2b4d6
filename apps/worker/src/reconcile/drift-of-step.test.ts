import { expect, it } from 'vitest';
import { aRecord } from '@holdfast/shared/testing';
import { driftOfStep } from './drift-of-step.js';
import type { Step } from './reconcile-step.js';

it.each([
  ['is of another size', 90, `5074 bytes, MD5 ${'b'.repeat(32)}; was 90 bytes, MD5 ${'a'.repeat(32)}`],
  [
    'has its size in the record by now',
    5_074,
    `5074 bytes, MD5 ${'b'.repeat(32)}; was MD5 ${'a'.repeat(32)}`,
  ],
])('says of content that changed and %s what was uploaded, as far as it is known', (_how, bytes, detail) => {
  const record = aRecord({ bytes, checksum: { sha256: 'c'.repeat(64), md5: 'a'.repeat(32) } });
  const asset = { ...record, bytes: 5_074, etag: 'b'.repeat(32) };
  const step = {
    asset,
    action: { kind: 'unchanged' },
    stored: { record, status: 'verified' },
    id: record.id,
  };
  const item = driftOfStep({ ...step, contentChanged: true } as unknown as Step);
  expect(item).toMatchObject({ code: 'CONTENT_CHANGED', detail });
});
