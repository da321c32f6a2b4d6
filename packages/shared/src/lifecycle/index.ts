export { abortReason, isAborted, onAbort } from './abort-signal.js';
export { listenOn, type Address } from './listen-on.js';
export { runMain } from './run-main.js';
export { service, type Service } from './service.js';
export { stack, type StackEvents } from './stack.js';
export { together } from './together.js';
export { runUntilSignal, type RunOptions } from './run-until-signal.js';
export { untilAborted } from './until-aborted.js';
export { withinMs } from './within-ms.js';
