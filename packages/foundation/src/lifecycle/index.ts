export { onAbort, untilAborted, withinMs } from './abort.js';
export { createBackoff, type Backoff } from './backoff.js';
export { listenOn } from './listen-on.js';
export { runMain, runUntilSignal } from './process.js';
export { service, stack, type Service } from './service.js';
