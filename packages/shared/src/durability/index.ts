export * from './durability-barrier.js';
export * from './ephemeral-disk.js';
export * from './server-facts.js';
export * from './server-findings.js';
export * from './server-monitor.js';
export * from './server-probes.js';
