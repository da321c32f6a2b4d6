export { abortReason, isAborted, onAbort, untilAborted, withinMs } from './abort.js';
export { createBackoff, type Backoff } from './backoff.js';
export { listenOn, type Address } from './listen-on.js';
export { argumentsOrExit, runMain, runUntilSignal, type RunOptions } from './process.js';
export { onceEach, service, stack, together, type Service, type StackEvents } from './service.js';
