import type { Barrier } from '@holdfast/shared/durability';
import type { ReadBack } from './read-back.js';

/** How often a connection may be lost between read-back and barrier before a proof is given up. */
export const PROOF_TRIES = 3;

/**
 * Call it before the read-back, and what it answers after the barrier: true where both connections lasted. A server that was
 * restarted or replaced in between confirms what it does not have: look again.
 */
export function watchConnections(
  readBack: Pick<ReadBack, 'epoch'>,
  barrier: Pick<Barrier, 'epoch'>,
): () => boolean {
  const before = [readBack.epoch(), barrier.epoch()];
  return () => readBack.epoch() === before[0] && barrier.epoch() === before[1];
}
