import { vi } from 'vitest';

/** Repeats a check until it holds; patient, since test machines may be busy. */
export function eventually(check: () => void | Promise<void>): Promise<void> {
  return vi.waitFor(check, { interval: 10 });
}
