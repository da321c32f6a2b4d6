import { setImmediate } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { createShutdown } from './shutdown.js';

it('lets many uploads listen for its end without a warning', async () => {
  const warnings: string[] = [];
  const note = ({ name }: Error): void => void warnings.push(name);
  process.on('warning', note);
  onTestFinished(() => void process.off('warning', note));
  const { cut, draining } = createShutdown();
  for (let upload = 0; upload < 50; upload += 1)
    for (const signal of [cut, draining]) signal.addEventListener('abort', () => undefined);
  // Node tells in the next turn.
  await setImmediate();
  expect(warnings).toEqual([]);
});
