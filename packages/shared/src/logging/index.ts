export { createLogger, silentLogger, type Logger, type LogFields, type LoggingSettings } from './logger.js';
export { redactText } from './redact.js';
export { requestIdFrom } from './request-id.js';
