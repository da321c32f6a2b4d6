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
  return {
    ...barrier,
    confirm: async () => {
      let outcome: DurabilityLevel | 'failed' = 'failed';
      try {
        const level = await barrier.confirm();
        outcome = level;
        return level;
      } finally {
        confirmations.inc({ level: outcome });
      }
    },
  };
}
