import { expect, it } from 'vitest';
import { isAllowedType } from './media-record.js';

it('matches types exactly, by family, or all', () => {
  expect(isAllowedType('image/png', ['image/*'])).toBe(true);
  expect(isAllowedType('imagex/png', ['image/*'])).toBe(false);
  expect(isAllowedType('application/pdf', ['image/*', 'application/pdf'])).toBe(true);
  expect(isAllowedType('text/html', ['image/*'])).toBe(false);
  expect(isAllowedType('text/html', ['*/*'])).toBe(true);
});
