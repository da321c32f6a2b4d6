import { tmpdir } from 'node:os';
import { silentLogger, type Logger } from '@holdfast/foundation/logging';
import { expect, it } from 'vitest';
import { waitForFreeSpace } from './embedded-redis.js';

const recorder = (): { events: string[]; log: Logger } => {
  const events: string[] = [];
  const note = (event: string): void => void events.push(event);
  return { events, log: { ...silentLogger, info: note, error: note } };
};

it('says that the disk is full and waits until it is told to stop', async () => {
  const { events, log } = recorder();
  const stopping = new AbortController();
  const waiting = waitForFreeSpace(tmpdir(), log, stopping.signal, Number.MAX_SAFE_INTEGER);
  await expect.poll(() => events).toEqual(['redis.disk_full']);
  stopping.abort();
  await waiting;
  expect(events).toEqual(['redis.disk_full']);
});

it('does not wait, and says nothing, where there is room', async () => {
  const { events, log } = recorder();
  await waitForFreeSpace(tmpdir(), log, new AbortController().signal, 0);
  expect(events).toEqual([]);
});
