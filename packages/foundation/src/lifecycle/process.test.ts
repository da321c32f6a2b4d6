import { expect, it, vi } from 'vitest';
import { silentLogger } from '../logging/index.js';
import { runUntilSignal, type Service } from './index.js';

it('lets a stop that makes the start fail end the process, with code 0', async () => {
  const handlers = new Map<string | symbol, () => void>();
  const on = vi.spyOn(process, 'on').mockImplementation((event: string | symbol, handler: () => void) => {
    handlers.set(event, handler);
    return process;
  });
  let giveUp = (): void => undefined;
  const root: Service = {
    name: 'root',
    start: () =>
      new Promise((_resolve, reject) => {
        giveUp = () => reject(new Error('given up'));
      }),
    stop: async () => giveUp(),
  };
  const codes: number[] = [];
  const running = runUntilSignal(root, 1_000, silentLogger, (code) => codes.push(code));
  on.mockRestore();
  handlers.get('SIGTERM')?.();
  await running;
  expect(codes).toEqual([0]);
});
