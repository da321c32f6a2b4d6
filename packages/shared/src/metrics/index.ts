export { countConfirmations, countHostCalls, createMetricsRegistry } from './metrics.js';
