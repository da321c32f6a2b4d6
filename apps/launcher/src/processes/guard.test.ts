import { spawn, type ChildProcess } from 'node:child_process';
import { EventEmitter } from 'node:events';
import { beforeEach, expect, it, vi } from 'vitest';
import { silentLogger } from '@holdfast/foundation/logging';
import { createGuard } from './guard.js';

vi.mock('node:child_process');

const children: EventEmitter[] = [];
/** Guards that are only said to run. */
function pretend(pid: number | undefined): void {
  vi.mocked(spawn).mockImplementation(() => {
    const child = Object.assign(new EventEmitter(), { pid, stdin: null });
    children.push(child);
    return child as unknown as ChildProcess;
  });
}

beforeEach(() => {
  vi.useFakeTimers();
  children.length = 0;
  return () => vi.useRealTimers();
});

async function startGuard(): Promise<EventEmitter> {
  const guard = createGuard({ log: silentLogger, lockFd: undefined, ownRegistry: undefined });
  await guard.start();
  const [child] = children;
  if (child === undefined) throw new Error('no guard');
  return child;
}

it('replaces a guard that ended by one other, whatever else is heard of it', async () => {
  pretend(1);
  const child = await startGuard();
  child.emit('error', new Error('kill EPERM'));
  await vi.advanceTimersByTimeAsync(1_000);
  expect(children).toHaveLength(1);
  child.emit('exit', 1, null);
  child.emit('error', new Error('late'));
  await vi.advanceTimersByTimeAsync(1_000);
  expect(children).toHaveLength(2);
});

it('tries again once where the guard could not be run, also when an exit is told as well', async () => {
  pretend(undefined);
  const child = await startGuard();
  child.emit('error', new Error('spawn EAGAIN'));
  child.emit('exit', -11, null);
  await vi.advanceTimersByTimeAsync(250);
  expect(children).toHaveLength(2);
});
