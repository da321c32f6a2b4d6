export { countConfirmations } from './count-confirmations.js';
export { countHostCalls } from './count-host-calls.js';
export { createMetricsRegistry } from './metrics-registry.js';
