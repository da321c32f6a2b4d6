export {
  createLogger,
  requestIdFrom,
  silentLogger,
  type Logger,
  type LogFields,
  type LoggingSettings,
} from './logger.js';
export { redactText } from './redact.js';
