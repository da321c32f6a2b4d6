import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createReadTurns } from './read-turns.js';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** Reads by name, as they begin and until they are ended. */
function turns({ isSaturated = false, hasOtherWork = true } = {}) {
  const readTurns = createReadTurns(
    () => hasOtherWork,
    () => isSaturated,
  );
  const ends: (() => void)[] = [];
  const refused: string[] = [];
  const read = async (client = 'a', gone = new AbortController().signal): Promise<void> => {
    try {
      ends.push(await readTurns.take(client, gone));
    } catch (error) {
      refused.push((error as { code: string }).code);
    }
  };
  const settle = (): Promise<unknown> => vi.advanceTimersByTimeAsync(0);
  return { read, ends, refused, settle };
}

it('lets a client have eight reads at a time, and the next as one ends', async () => {
  const { read, ends, settle } = turns();
  for (let count = 0; count < 20; count += 1) void read();
  await settle();
  expect(ends).toHaveLength(8);
  ends[0]?.();
  ends[1]?.();
  await settle();
  expect(ends).toHaveLength(10);
  void read('b');
  await settle();
  expect(ends).toHaveLength(11);
});

it('lets a client have one at a time, and as long a rest, where others need the time', async () => {
  const { read, ends, settle } = turns({ isSaturated: true });
  void read();
  void read();
  await settle();
  expect(ends).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(40);
  ends[0]?.();
  await vi.advanceTimersByTimeAsync(39);
  expect(ends).toHaveLength(1);
  void read('b');
  await settle();
  expect(ends).toHaveLength(2);
  await vi.advanceTimersByTimeAsync(1);
  expect(ends).toHaveLength(3);
});

it('lets a client that is alone have all the time', async () => {
  const { read, ends, settle } = turns({ isSaturated: true, hasOtherWork: false });
  for (let count = 0; count < 9; count += 1) void read();
  await settle();
  expect(ends).toHaveLength(8);
  ends[0]?.();
  await settle();
  expect(ends).toHaveLength(9);
});

it('forgets reads whose client left, and refuses those beyond a thousand that wait', async () => {
  const { read, ends, refused, settle } = turns();
  for (let count = 0; count < 8; count += 1) void read();
  const gone = new AbortController();
  void read('a', gone.signal);
  for (let count = 0; count < 1_000; count += 1) void read();
  await settle();
  expect(refused).toEqual(['OVERLOADED']);
  gone.abort();
  await settle();
  expect(refused).toEqual(['OVERLOADED', 'CLIENT_ABORTED']);
  for (const end of ends.slice(0, 8)) end();
  await settle();
  expect(ends).toHaveLength(16);
});
