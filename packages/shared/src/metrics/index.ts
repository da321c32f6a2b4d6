export { countHostCalls, createMetricsRegistry } from './metrics.js';
