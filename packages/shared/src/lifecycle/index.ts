export { service, type Service } from './service.js';
export { stack, type StackEvents } from './stack.js';
export { runUntilSignal, type RunOptions } from './run-until-signal.js';
