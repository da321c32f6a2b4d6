// The guard: a process that ends the others when the launcher dies without a word (kill -9).
// It holds the reading end of a pipe that only the launcher writes to; the pipe's end is the launcher's end.
import { createInterface } from 'node:readline';
import { endProcesses } from './end-processes.js';
import { GUARD_PARTS_MS, GUARD_REDIS_MS, type GuardMessage } from './guard-messages.js';
import { identify, type ProcessIdentity } from './process-identity.js';
import { REDIS_ROLE } from './process-registry.js';

const guarded = new Map<number, ProcessIdentity & { role: string }>();

// It ends when the launcher does, not by a signal that was meant for everybody.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);

for await (const line of createInterface({ input: process.stdin })) {
  const message = JSON.parse(line) as GuardMessage;
  if ('remove' in message) guarded.delete(message.remove);
  else {
    const identity = identify(message.add.pid);
    if (identity !== undefined) guarded.set(identity.pid, { ...identity, role: message.add.role });
  }
}

const left = [...guarded.values()];
await endProcesses(
  left.filter((one) => one.role !== REDIS_ROLE),
  GUARD_PARTS_MS,
);
await endProcesses(
  left.filter((one) => one.role === REDIS_ROLE),
  GUARD_REDIS_MS,
);
process.exit(0);
