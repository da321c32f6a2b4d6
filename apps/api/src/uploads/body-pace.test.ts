import { EventEmitter } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { expect, it, onTestFinished, vi } from 'vitest';
import { watchPace } from './body-pace.js';

/** Whether a client that sends so many bytes a second is cut within an hour. */
function isCut(bytesPerSecond: number): boolean {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const socket = { bytesRead: 0 };
  const request = Object.assign(new EventEmitter(), { socket, complete: false, readableLength: 0 });
  const cut = vi.fn<() => void>();
  const end = watchPace(request as unknown as IncomingMessage, cut);
  for (let second = 0; second < 3_600; second += 1) {
    socket.bytesRead += bytesPerSecond;
    vi.advanceTimersByTime(1_000);
  }
  end();
  return cut.mock.calls.length > 0;
}

it('lets a phone with a poor connection finish, however large its file is', () => {
  expect(isCut(15_000)).toBe(false);
});

it('cuts a client that sends a byte now and then', () => {
  expect(isCut(1)).toBe(true);
});
