import type { DurabilitySettings } from '../config/index.js';
import { HoldfastError } from '../errors/index.js';
import { redisErrorKind } from '../redis/index.js';
import { serverName, type ServerFacts } from './server-facts.js';
import type { Finding } from './server-findings.js';
import type { ProbeResult } from './server-probes.js';

const lacking = (results: readonly ProbeResult[], needed: boolean): ProbeResult[] =>
  results.filter(({ probe, outcome }) => outcome === 'lacking' && probe.needed === needed);

/** REDIS_UNSUITABLE with each thing that is needed and that the server lacks, or null. */
export function unsuitableServer(
  place: string,
  facts: ServerFacts,
  results: readonly ProbeResult[],
): HoldfastError | null {
  const lacks = lacking(results, true);
  if (lacks.length === 0) return null;
  return new HoldfastError(
    'REDIS_UNSUITABLE',
    `${serverName(facts)} ${place.replace(/^(?:The )?Redis /, '')} lacks what Holdfast needs`,
    {
      errors: lacks.map(({ probe: { name, means, fix }, said }) => ({
        path: `${name}:`,
        message: `${said}. ${means} ${fix}`,
      })),
    },
  );
}

/** What an operator should know of what the server lacks. */
export function lackFindings(
  facts: ServerFacts,
  results: readonly ProbeResult[],
  { replicas }: Pick<DurabilitySettings, 'replicas'>,
): Finding[] {
  const findings: Finding[] = [];
  const missing = lacking(results, true).map(({ probe }) => probe);
  if (missing.length > 0)
    findings.push({
      code: 'REDIS_UNSUITABLE',
      severity: 'error',
      message: `${serverName(facts)} lacks what Holdfast needs: ${missing.map(({ name }) => name).join(', ')}. Workers rest.`,
      fix: [...new Set(missing.map(({ fix }) => fix))].join(' '),
    });
  const denied = results.filter(
    ({ probe, outcome, said }, index) =>
      probe.needed &&
      outcome === 'refused' &&
      redisErrorKind(new Error(said)) === 'credentials' &&
      results.findIndex((other) => other.said === said) === index,
  );
  if (denied.length > 0)
    findings.push({
      code: 'RIGHTS_MISSING',
      severity: 'error',
      message: `The user of Redis has no right to what Holdfast needs: ${denied.map(({ probe }) => probe.name).join(', ')}. Uploads wait for it.`,
      fix: 'Give the user the rights in docs/operations.md. Within two minutes everything goes on by itself.',
    });
  const limits = lacking(results, false)
    .map(({ probe }) => probe)
    .filter(({ told }) => told === 'always' || (told === 'with replicas' && replicas > 0));
  if (limits.length > 0)
    findings.push({
      code: 'REDIS_LIMITED',
      severity: 'notice',
      message: limits.map(({ name, means }) => `No ${name}: ${means}`).join(' '),
      fix: [...new Set(limits.map(({ fix }) => fix))].join(' '),
    });
  return findings;
}
