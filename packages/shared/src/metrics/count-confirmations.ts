import { Counter, type Registry } from 'prom-client';
import { durabilityLevels, type DurabilityLevel } from '../config/index.js';
import type { Barrier } from '../durability/index.js';

/** The same barrier; each confirmation is counted by the level that the server confirmed. */
export function countConfirmations(barrier: Barrier, registry: Registry): Barrier {
  const confirmations = new Counter({
    name: 'holdfast_durability_confirmations_total',
    help: 'Answers to "how safe is what was written", by durability level; failed where Redis gave none.',
    labelNames: ['level'],
    registers: [registry],
  });
  for (const level of [...durabilityLevels, 'failed']) confirmations.inc({ level }, 0);
  const count = async <T>(confirm: Promise<T>, levelOf: (answer: T) => DurabilityLevel): Promise<T> => {
    let outcome: DurabilityLevel | 'failed' = 'failed';
    try {
      const answer = await confirm;
      outcome = levelOf(answer);
      return answer;
    } finally {
      confirmations.inc({ level: outcome });
    }
  };
  return {
    ...barrier,
    confirm: () => count(barrier.confirm(), (level) => level),
    confirmRemoving: (key) => count(barrier.confirmRemoving(key), ({ level }) => level),
  };
}
