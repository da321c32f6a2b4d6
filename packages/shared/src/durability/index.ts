export { createBarrier, type Barrier } from './durability-barrier.js';
export { ephemeralDiskFinding } from './ephemeral-disk.js';
export { examineServer } from './examine-server.js';
export { redisOutage } from './redis-outage.js';
export { readServerFacts, serverName, type ServerFacts } from './server-facts.js';
export { connectionFindings, serverFindings, type Finding, type Severity } from './server-findings.js';
export { createServerMonitor, type MonitorOptions, type ServerMonitor } from './server-monitor.js';
export { probeServer, serverProbes, type ProbeResult } from './server-probes.js';
