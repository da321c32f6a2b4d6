import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { silentLogger } from '@holdfast/shared/logging';
import { createOpenedAhead, type OpenedAhead } from './opened-ahead.js';

let running: number;
let connected: boolean;
let ahead: OpenedAhead;
const drop = vi.fn<(...ids: string[]) => Promise<void>>();

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  drop.mockReset().mockResolvedValue();
  running = 8;
  connected = true;
  ahead = createOpenedAhead({
    intents: { drop },
    running: () => running,
    isConnected: () => connected,
    folder: 'ours',
    maxBacklog: 7,
    log: silentLogger,
  });
});
afterEach(() => {
  ahead.stop();
  vi.useRealTimers();
});

/** Opens one intent as an acceptance does; its id. */
function open(): string {
  const next = ahead.propose();
  if (next === null) throw new Error('nothing to open');
  next.onOpened();
  return next.id;
}

describe('proposing', () => {
  it('names an intent under a new id', () => {
    const [one, other] = [ahead.propose(), ahead.propose()];
    expect(one).toMatchObject({ publicId: `ours/${one?.id ?? ''}`, maxBacklog: 7 });
    expect(other?.id).not.toBe(one?.id);
  });

  it('waits until there are many uploads', () => {
    running = 3;
    expect(ahead.propose()).toBeNull();
    running = 4;
    expect(ahead.propose()).not.toBeNull();
  });

  it('proposes no more than there are uploads under way', () => {
    running = 4;
    for (let count = 0; count < 4; count += 1) open();
    expect(ahead.propose()).toBeNull();
    ahead.take();
    expect(ahead.propose()).not.toBeNull();
  });
});

describe('taking', () => {
  it('gives each intent once, the newest first, with the time at which it was asked for', () => {
    const one = { id: open(), at: performance.now() };
    vi.advanceTimersByTime(5);
    const next = ahead.propose();
    const other = { id: next?.id, at: performance.now() };
    vi.advanceTimersByTime(5);
    next?.onOpened();
    expect([ahead.take(), ahead.take(), ahead.take()]).toEqual([other, one, null]);
  });

  it('gives none that Redis has not opened', () => {
    ahead.propose();
    expect(ahead.take()).toBeNull();
  });

  it('gives none that was asked for long ago', () => {
    open();
    vi.advanceTimersByTime(15);
    const later = open();
    vi.advanceTimersByTime(15);
    expect([ahead.take()?.id, ahead.take()]).toEqual([later, null]);
    const next = ahead.propose();
    vi.advanceTimersByTime(30);
    next?.onOpened();
    expect(ahead.take()).toBeNull();
  });

  it('gives none while the connection is away, or few uploads are under way', () => {
    open();
    connected = false;
    expect(ahead.take()).toBeNull();
    connected = true;
    running = 3;
    expect(ahead.take()).toBeNull();
  });
});

describe('what nobody takes', () => {
  it('is dropped within two seconds, all that is old at once', () => {
    const old = [open(), open()];
    vi.advanceTimersByTime(990);
    const fresh = open();
    vi.advanceTimersByTime(10);
    expect(drop.mock.calls).toEqual([old]);
    vi.advanceTimersByTime(1_000);
    expect(drop.mock.calls).toEqual([old, [fresh]]);
    vi.advanceTimersByTime(10_000);
    expect(drop).toHaveBeenCalledTimes(2);
  });

  it('is dropped at the end, and what is opened after it', () => {
    const id = open();
    const late = ahead.propose();
    ahead.stop();
    late?.onOpened();
    expect(drop.mock.calls).toEqual([[id], [late?.id]]);
    expect([ahead.take(), ahead.propose()]).toEqual([null, null]);
  });

  it('is left to the sweep where Redis is away', async () => {
    drop.mockRejectedValue(new Error('away'));
    open();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(drop).toHaveBeenCalledOnce();
  });
});
