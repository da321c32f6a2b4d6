import { getMaxListeners } from 'node:events';
import { expect, it } from 'vitest';
import { createShutdown } from './shutdown.js';

it('lets any number of uploads listen for its end without a warning', () => {
  const { cut, draining } = createShutdown();
  // 0 = no limit; from the limit on, Node writes a warning between the lines of the log.
  expect([cut, draining].map((signal) => getMaxListeners(signal))).toEqual([0, 0]);
});
