import { expect, it } from 'vitest';
import { errorCatalogue, HoldfastError, type ErrorCode } from './index.js';

it('spells every code in upper snake case and gives it a status that HTTP knows', () => {
  for (const [code, entry] of Object.entries(errorCatalogue)) {
    expect(code).toMatch(/^[A-Z]+(_[A-Z]+)*$/);
    expect(entry.status).toBeGreaterThanOrEqual(400);
    expect(entry.status).toBeLessThan(600);
    expect(new HoldfastError(code as ErrorCode).status).toBe(entry.status);
  }
});

it('keeps the cause of what it wraps', () => {
  const cause = new Error('socket hang up');
  expect(new HoldfastError('HOST_REJECTED', 'the host failed', { cause }).cause).toBe(cause);
});
