export { createBarrier, type Barrier } from './durability-barrier.js';
export { ephemeralDiskFinding } from './ephemeral-disk.js';
export { placeOf, redisOutage } from './redis-outage.js';
export { readServerFacts, serverName } from './server-facts.js';
export {
  connectionFindings,
  findingsOf,
  serverFindings,
  type Finding,
  type FindingRow,
  type Severity,
} from './server-findings.js';
export { openServer, type ServerMonitor } from './server-monitor.js';
export { probeServer, serverProbes, type ProbeResult } from './server-probes.js';
