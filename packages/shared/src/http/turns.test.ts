import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createTurns } from './turns.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Requests as they begin and until they are ended. `upload` begins one that is not limited. */
function setup({ isSaturated = false } = {}) {
  const turns = createTurns(() => isSaturated);
  const begun: string[] = [];
  const ends: (() => void)[] = [];
  const enter = (name: string, isLimited: boolean): (() => void) =>
    turns.enter({ name, isLimited }, (end) => {
      begun.push(name);
      ends.push(end);
    });
  return {
    begun,
    ends,
    ask: (name = 'a') => enter(name, true),
    upload: () => enter('uploads', false),
    holdBack: () => turns.holdBack({ name: 'uploads', isLimited: false }),
    pass: (ms = 0) => vi.advanceTimersByTimeAsync(ms),
  };
}

it('has eight requests of a line served at a time, and the next as one ends', async () => {
  const { ask, begun, ends, pass } = setup();
  for (let count = 0; count < 20; count += 1) ask();
  await pass();
  expect(begun).toHaveLength(8);
  ends[0]?.();
  ends[0]?.();
  ends[1]?.();
  await pass();
  expect(begun).toHaveLength(10);
  ask('b');
  await pass();
  expect(begun).toHaveLength(11);
});

it('begins eight in each round of the event loop, of each line in turn', async () => {
  const { ask, upload, begun, pass } = setup();
  for (let count = 0; count < 8; count += 1) ask(`first-${String(count)}`);
  for (let count = 0; count < 6; count += 1) ask('a');
  for (let count = 0; count < 6; count += 1) upload();
  expect(begun).toHaveLength(8);
  await pass(5);
  expect(begun.slice(8)).toEqual(Array.from({ length: 6 }, () => ['a', 'uploads']).flat());
});

it('has one at a time, and twice as long a rest, where others need the time', async () => {
  const { ask, upload, begun, ends, pass } = setup({ isSaturated: true });
  upload();
  ask();
  ask();
  expect(begun).toEqual(['uploads', 'a']);
  await pass(40);
  ends[1]?.();
  await pass(79);
  expect(begun).toHaveLength(2);
  ask('b');
  await pass();
  expect(begun).toHaveLength(3);
  await pass(1);
  expect(begun).toEqual(['uploads', 'a', 'b', 'a']);
});

it('has many that take no time served before a line rests', async () => {
  const { ask, upload, begun, ends, pass } = setup({ isSaturated: true });
  upload();
  for (let count = 0; count < 30; count += 1) ask();
  for (let count = 1; count <= 20; count += 1) ends[count]?.();
  await pass();
  for (let count = 1; count <= 20; count += 1) ends[count]?.();
  expect(begun.length).toBeGreaterThan(8);
});

it('never holds back what is not limited', async () => {
  const { ask, upload, begun, pass } = setup({ isSaturated: true });
  ask();
  for (let count = 0; count < 100; count += 1) upload();
  await pass(50);
  expect(begun).toHaveLength(101);
});

it('holds back even that for a minute where its client harms others', async () => {
  const { ask, upload, holdBack, begun, pass } = setup({ isSaturated: true });
  ask();
  upload();
  holdBack();
  await pass(30_000);
  holdBack();
  await pass(45_000);
  upload();
  upload();
  await pass();
  expect(begun).toEqual(['a', 'uploads', 'uploads']);
  await pass(15_000);
  upload();
  upload();
  expect(begun).toHaveLength(6);
});

it('lets a line that is alone have all the time', async () => {
  const { ask, begun, ends, pass } = setup({ isSaturated: true });
  for (let count = 0; count < 9; count += 1) ask();
  await pass(50);
  expect(begun).toHaveLength(8);
  ends[0]?.();
  await pass();
  expect(begun).toHaveLength(9);
});

it('ends a turn that waits for something else', async () => {
  const { ask, begun, pass } = setup();
  for (let count = 0; count < 9; count += 1) ask();
  await pass(99);
  expect(begun).toHaveLength(8);
  await pass(1);
  expect(begun).toHaveLength(9);
});

it('forgets a request that leaves its line', async () => {
  const { ask, begun, ends, pass } = setup();
  for (let count = 0; count < 8; count += 1) ask();
  const leave = ask();
  ask('a');
  leave();
  for (const end of ends.slice()) end();
  await pass();
  expect(begun).toHaveLength(9);
});
