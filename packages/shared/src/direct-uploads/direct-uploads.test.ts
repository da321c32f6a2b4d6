import { expect, it } from 'vitest';
import { refusalOfArrival } from './index.js';

const rules = { maxBytes: 1_000, allowedTypes: ['*/*'] };
const mark = { state: 'ticket', expiresAtMs: Date.parse('2026-01-01T00:30:00Z') } as const;
const image = {
  resourceType: 'image',
  format: 'png',
  bytes: 10,
  uploadedAt: '2026-01-01T00:00:00Z',
} as const;

it.each([
  ['holdfast/01K00000000000000000000000', 'image', null],
  ['holdfast/01K00000000000000000000000.csv', 'raw', null],
  // The ticket was for a raw file: under this name it could not be found again after a wipe.
  ['holdfast/01K00000000000000000000000.csv', 'image', 'UNSUPPORTED_TYPE'],
  ['v1.2/01K00000000000000000000000', 'image', null],
] as const)('of %s as %s: %s', (publicId, resourceType, code) => {
  expect(refusalOfArrival({ ...image, publicId, resourceType }, mark, rules)?.code ?? null).toBe(code);
});
