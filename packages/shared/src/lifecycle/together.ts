import { onceEach } from './once-each.js';
import type { Service } from './service.js';

/** Services that do not need each other, as one: started and stopped at the same time. */
export function together(name: string, services: readonly Service[]): Service {
  return {
    name,
    ...onceEach({
      start: async () => void (await Promise.all(services.map((one) => one.start()))),
      stop: async (deadline) => {
        // All of them, also when one fails: what they stand on is stopped next.
        const ends = await Promise.allSettled(services.map((one) => one.stop(deadline)));
        for (const end of ends) if (end.status === 'rejected') throw end.reason;
      },
    }),
  };
}
