export { createBarrier, type Barrier } from './durability-barrier.js';
export { ephemeralDiskFindings } from './ephemeral-disk.js';
export { readServerFacts, serverName } from './server-facts.js';
export {
  connectionFindings,
  notice,
  placeOf,
  redisOutage,
  serious,
  serverFindings,
  warning,
  type Finding,
  type Severity,
} from './server-findings.js';
export { openServer, type ServerMonitor } from './server-monitor.js';
export { probeServer, serverProbes, type ProbeResult } from './server-probes.js';
