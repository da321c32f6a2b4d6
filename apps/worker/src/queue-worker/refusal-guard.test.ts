import { expect, it, onTestFinished, vi } from 'vitest';
import { silentLogger, type Logger } from '@holdfast/shared/logging';
import { createRefusalGuard } from './refusal-guard.js';

const refused = new Error('OOM command not allowed when used memory > maxmemory.');
const forbidden = new Error("NOPERM User default has no permissions to run the 'evalsha' command");

it('says once a minute that a worker rests, and at once when the reason is another', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  onTestFinished(() => void vi.useRealTimers());
  const rests: unknown[] = [];
  const log: Logger = { ...silentLogger, warn: (_event, fields) => void rests.push(fields?.['kind']) };
  let pauses = 0;
  const worker = {
    pause: async () => void (pauses += 1),
    resume: async () => undefined,
    isPaused: () => false,
  };
  const guard = createRefusalGuard(worker, log);
  onTestFinished(() => guard.stop());
  const refuse = async (error: Error, seconds: number): Promise<void> => {
    for (let second = 0; second < seconds; second += 1) {
      guard.onError(error);
      await vi.advanceTimersByTimeAsync(1_000);
    }
  };
  await refuse(refused, 59);
  expect(rests).toEqual(['refused']);
  expect(pauses).toBeGreaterThan(10);
  await refuse(refused, 10);
  expect(rests).toEqual(['refused', 'refused']);
  await refuse(forbidden, 10);
  expect(rests).toEqual(['refused', 'refused', 'credentials']);
});
