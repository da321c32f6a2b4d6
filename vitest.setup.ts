import { vi } from 'vitest';

/**
 * What a test waits for without saying how long is done by other processes, on a machine that may be busy: vitest's own limit
 * of a second has them fail there. Tests that wait for what comes at once take no longer.
 */
const PATIENCE_MS = 60_000;

const waitFor = vi.waitFor.bind(vi);
vi.waitFor = (check, options = PATIENCE_MS) =>
  waitFor(check, typeof options === 'number' ? options : { timeout: PATIENCE_MS, ...options });
