export * from './logger.js';
export { redactText } from './redact.js';
