// The guard: a process that ends the others when the launcher is killed (kill -9).
// It reads from a pipe that only the launcher writes to, so the pipe closes when the launcher ends.
import { createInterface } from 'node:readline';
import { endLeft, identify, type RunningEntry } from './processes.js';
import type { GuardMessage } from './guard.js';

const guarded = new Map<number, RunningEntry>();

// It ends when the launcher does, not on a signal to the process group.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);

for await (const line of createInterface({ input: process.stdin })) {
  const message = JSON.parse(line) as GuardMessage;
  if ('remove' in message) guarded.delete(message.remove);
  else {
    const identity = identify(message.add.pid);
    if (identity !== undefined) guarded.set(identity.pid, { ...identity, role: message.add.role });
  }
}

await endLeft([...guarded.values()]);
process.exit(0);
