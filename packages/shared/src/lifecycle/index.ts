export { listenOn, type Address } from './listen-on.js';
export { service, type Service } from './service.js';
export { stack, type StackEvents } from './stack.js';
export { runUntilSignal, type RunOptions } from './run-until-signal.js';
