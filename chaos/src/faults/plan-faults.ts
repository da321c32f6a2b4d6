import { createRandom } from '@holdfast/shared/testing';
import { faultNames, type FaultKind } from './fault-kinds.js';

export interface PlannedFault {
  /** Milliseconds since the start of the load. */
  atMs: number;
  kind: FaultKind;
  /** Decides whom it hits, and how hard. */
  seed: number;
}

export interface PlanOptions {
  seed: number;
  seconds: number;
  /** Mean distance of two faults. */
  everyMs: number;
}

/** Before the first fault and after the last one: every fault must find work to disturb, also behind others that last up to 8 s. */
const LEAD_MS = 2_000;
const TAIL_MS = 12_000;
/** Everything is thrown away at most this often. */
const WIPE_EVERY_MS = 180_000;

/** The faults of a run: every kind as often as every other one, in an order and at times that only the seed decides. */
export function planFaults({ seed, seconds, everyMs }: PlanOptions): PlannedFault[] {
  const random = createRandom(seed).fork('plan');
  const end = seconds * 1_000 - TAIL_MS;
  const plan: PlannedFault[] = [];
  let deck: FaultKind[] = [];
  let wipedAt = -Infinity;
  for (let atMs = LEAD_MS; atMs < end; atMs += Math.round(everyMs * (0.3 + 1.4 * random.next()))) {
    if (deck.length === 0) deck = random.shuffle(faultNames);
    let kind = deck.pop() as FaultKind;
    if (kind === 'wipe redis') {
      if (atMs - wipedAt < WIPE_EVERY_MS) kind = random.pick(faultNames.filter((name) => name !== kind));
      else wipedAt = atMs;
    }
    plan.push({ atMs, kind, seed: random.whole(0, 0xffff_ffff) });
  }
  return plan;
}
