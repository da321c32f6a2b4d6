import { setTimeout as pause } from 'node:timers/promises';
import { createRandom } from '@holdfast/shared/testing';
import type { FaultAction, FaultContext } from './fault-action.js';
import { faultKinds } from './fault-kinds.js';
import type { PlannedFault } from './plan-faults.js';

export interface InjectedFault extends PlannedFault {
  /** What was done; null when it could not be. */
  detail: string | null;
}

/** Lets the planned faults happen, each at its time, also beside each other. Resolves when all of them are over. */
export async function injectFaults(
  plan: readonly PlannedFault[],
  context: Omit<FaultContext, 'random'>,
  onFault: (fault: InjectedFault) => void,
): Promise<InjectedFault[]> {
  const start = performance.now();
  const inject = async (fault: PlannedFault): Promise<InjectedFault> => {
    const action: FaultAction = faultKinds[fault.kind];
    const detail = await action({ ...context, random: createRandom(fault.seed) }).catch((error: unknown) => {
      process.stderr.write(`${fault.kind}: ${String(error)}\n`);
      return null;
    });
    const injected = { ...fault, detail };
    onFault(injected);
    return injected;
  };
  const running: Promise<InjectedFault>[] = [];
  for (const fault of plan) {
    await pause(Math.max(0, fault.atMs - (performance.now() - start)));
    running.push(inject(fault));
  }
  return Promise.all(running);
}
