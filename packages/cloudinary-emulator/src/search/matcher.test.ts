import { expect, test } from 'vitest';
import type { Asset } from '../assets/asset.js';
import { matcher } from './matcher.js';
import { parseExpression } from './parse-expression.js';
import { searchBounds } from './search-bounds.js';

const noon = Date.parse('2026-01-01T12:00:00Z') / 1000;
const context = { settings: { searchKnowsLastUpdated: true }, nowSeconds: noon };
const asset = {
  publicId: 'holdfast/Summer-day',
  resourceType: 'image',
  type: 'upload',
  format: 'png',
  displayName: 'Summer-day',
  tags: ['sea', 'blue sky'],
  context: { category: 'nature' },
  bytes: 2048,
  width: 100,
  duration: null,
  createdAt: noon - 3600,
  uploadedAt: noon - 1800,
} as unknown as Asset;

test.each([
  ['bytes=2048', true],
  ['bytes:2kb', true],
  ['bytes>2048', false],
  ['bytes>=2048 AND bytes<3000', true],
  ['bytes:[1000 TO 2048]', true],
  ['bytes:{1000 TO 2048}', false],
  ['bytes:[3000 TO *]', false],
  ['duration<10', false],
  ['uploaded_at>=1h', true],
  ['created_at>1h', false],
  ['created_at:["2026-01-01T11:00:00Z" TO "2026-01-01T11:30:00Z"]', true],
  ['public_id:holdfast/*', true],
  ['public_id:"holdfast/*"', false],
  ['public_id:summer', true],
  ['public_id=summer', false],
  ['tags:blue', true],
  ['tags=blue', false],
  ['tags="blue sky"', true],
  ["tags='blue sky'", true],
  ['tags=blue\\ sky', true],
  ['context.category=nature', true],
  ['context:category', true],
  ['format:jpg OR format:png', true],
  ['format:jpg format:png', true],
  ['format:jpg AND (tags:sea OR tags:blue)', false],
  ['NOT format:jpg AND tags:sea', true],
  ['NOT (format:jpg OR tags:sea)', false],
  ['unknown:1', false],
  ['NOT unknown:1', true],
  ['sea', true],
  ['mountain', false],
])('%s -> %s', (expression, expected) => {
  expect(matcher(parseExpression(expression), context)(asset)).toBe(expected);
});

test.each(['tags=', '(a', 'a)', 'bytes:[1 2]', '"open', 'AND AND'])('refuses %s', (expression) => {
  expect(() => parseExpression(expression)).toThrow(/Invalid expression/);
});

test('bounds of a field come from AND-ed ranges only, so that an OR loses nothing', () => {
  const bounds = (expression: string) => searchBounds(parseExpression(expression), 'bytes', context);
  expect(bounds('bytes>=10 AND bytes<20 AND format:png')).toEqual({ from: 10, to: 20 });
  expect(bounds('bytes>=10 OR format:png')).toEqual({ from: -Infinity, to: Infinity });
  expect(bounds('NOT bytes>=10')).toEqual({ from: -Infinity, to: Infinity });
});
