export { createBarrier, type Barrier, type BarrierOptions } from './durability-barrier.js';
export { ephemeralDiskFinding } from './ephemeral-disk.js';
export { examineServer, profileNameOf, type Examination } from './examine-server.js';
export { believesFsync } from './fsync-judgement.js';
export { createRedisOutage, type RedisOutage } from './redis-outage.js';
export { createServerCheck, type ServerCheck } from './server-check.js';
export { readServerFacts, serverName, type ServerFacts, type ServerKind } from './server-facts.js';
export { createServerJudgement, type JudgementOptions, type ServerJudgement } from './server-judgement.js';
export { probeServer, serverProbes, type ProbeResult, type ServerProbe } from './server-probes.js';
export {
  connectionFindings,
  logNewFindings,
  serverFindings,
  type Finding,
  type Severity,
} from './server-findings.js';
