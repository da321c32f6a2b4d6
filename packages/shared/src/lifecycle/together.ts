import type { Service } from './service.js';

/** Services that do not need each other, as one: started and stopped at the same time. */
export function together(name: string, services: readonly Service[]): Service {
  return {
    name,
    start: async () => void (await Promise.all(services.map((one) => one.start()))),
    stop: async (deadline) => void (await Promise.all(services.map((one) => one.stop(deadline)))),
  };
}
