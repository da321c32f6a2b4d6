import { getEventListeners } from 'node:events';
import { expect, it } from 'vitest';
import { untilAborted } from './index.js';

const never = new Promise<never>(() => undefined);

it('resolves with the outcome of work that ends first, and leaves no listener on the signal', async () => {
  const { signal } = new AbortController();
  await expect(untilAborted(Promise.resolve(1), signal)).resolves.toBe(1);
  await expect(untilAborted(Promise.reject(new Error('broken')), signal)).rejects.toThrow('broken');
  expect(getEventListeners(signal, 'abort')).toEqual([]);
});

it('leaves the wait with the reason of the signal', async () => {
  const leaving = new AbortController();
  const reason = new Error('no longer wanted');
  const waiting = untilAborted(never, leaving.signal);
  leaving.abort(reason);
  await expect(waiting).rejects.toBe(reason);
  await expect(untilAborted(never, leaving.signal)).rejects.toBe(reason);
});

it('rejects with an error also where the reason is not an error', async () => {
  await expect(untilAborted(never, AbortSignal.abort('lock lost'))).rejects.toMatchObject({
    cause: 'lock lost',
  });
});

it('ignores work that fails after the wait ended', async () => {
  const unhandled: unknown[] = [];
  const note = (error: unknown): void => void unhandled.push(error);
  process.on('unhandledRejection', note);
  try {
    const failing = Promise.reject(new Error('too late'));
    await expect(untilAborted(failing, AbortSignal.abort(new Error('left')))).rejects.toThrow('left');
    await new Promise((resolve) => setImmediate(resolve));
    expect(unhandled).toEqual([]);
  } finally {
    process.off('unhandledRejection', note);
  }
});
