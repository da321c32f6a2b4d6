export { createBarrier, type Barrier, type BarrierOptions } from './durability-barrier.js';
export { believesFsync } from './fsync-honesty.js';
export { readServerFacts, type ServerFacts } from './server-facts.js';
export { serverFindings, type Finding, type Severity } from './server-findings.js';
