import type { BadClients } from '../clients/bad-clients.js';
import type { Random } from '@holdfast/shared/testing';
import type { Stage } from '../stage/stage.js';

export interface FaultContext {
  stage: Stage;
  random: Random;
  badClients: BadClients;
  /** Tells the history that everything Redis had is being thrown away. */
  declareWipe: () => void;
  /** Fires when no more faults may begin to wait for anything. */
  ending: AbortSignal;
}

/** Does its worst and resolves when it is over: what exactly was done, or null when it could not be done. */
export type FaultAction = (context: FaultContext) => Promise<string | null>;
