import { setTimeout as pause } from 'node:timers/promises';
import type { RedisSandbox } from '@holdfast/shared/testing';
import type { LinkName } from './gate.js';
import { findViolations } from './invariants.js';
import { operations, type Effect, type Operation, type OperationName } from './operations.js';
import { settle } from './settle.js';
import { situations, type SituationName } from './situations.js';
import { openWorld, type World } from './world.js';

/**
 * What befalls the piece at which an operation is stopped: `cut`, it is lost with its connection; `lose`, its answer is;
 * `late`, it arrives once its sender has given up; `refuse` and `garble`, the host answers 500, or no JSON.
 */
export const faults = ['cut', 'lose', 'late', 'refuse', 'garble'] as const;
export type FaultName = (typeof faults)[number];

/** One operation, stopped at its nth piece, and what happens meanwhile: another operation from beginning to end, or a fault. */
export interface Case {
  situation: SituationName;
  operation: OperationName;
  at: number;
  meets: OperationName | FaultName;
}

/** `verified/editTitle@7+delete`: what `--replay` takes. */
export function nameOf({ situation, operation, at, meets }: Case): string {
  return `${situation}/${operation}@${String(at)}+${meets}`;
}

/** Another operation that waits for the stopped one continues after this long. */
const MEETS_WITHIN_MS = 2_000;
/** Clients of the API have given up on Redis by then, and on the host in the background. */
const LATE_MS = 4_000;

/** What was promised and not kept; empty where all was well. */
export async function runCase(sandbox: RedisSandbox, given: Case): Promise<string[]> {
  const world = await openWorld(sandbox);
  try {
    const subject = await situations[given.situation](world);
    const first: Operation = operations[given.operation];
    const met: Promise<Effect>[] = [];
    let ended = false;
    world.gate.arm(given.at, async (link) => {
      if (isFault(given.meets)) {
        await afflict(world, link, given.meets, () => ended);
        return;
      }
      const other: Operation = operations[given.meets];
      const effect = other.run(world.b, world, subject);
      met.push(first.rewritesAsset === true ? effect.then(withoutEditThere) : effect);
      await Promise.race([effect, pause(MEETS_WITHIN_MS, undefined, { ref: false })]);
    });
    const effect = await first.run(world.a, world, subject);
    ended = true;
    world.gate.disarm();
    const effects = [effect, ...(await Promise.all(met))];
    await world.emulator.faults.clear();
    for (const link of Object.values(world.gate.links)) link.set({ kind: 'pass' });
    await settle(world);
    return await findViolations(world, subject, effects);
  } finally {
    await world.close();
  }
}

/** How many pieces an operation sends when nothing happens to it. */
export async function countPieces(
  sandbox: RedisSandbox,
  situation: SituationName,
  operation: OperationName,
): Promise<number> {
  const world = await openWorld(sandbox);
  try {
    const subject = await situations[situation](world);
    world.gate.arm(0, () => Promise.resolve());
    const one: Operation = operations[operation];
    await one.run(world.a, world, subject);
    return world.gate.disarm();
  } finally {
    await world.close();
  }
}

/** An edit on the host counts for certain only beside what does not write there. */
function withoutEditThere(effect: Effect): Effect {
  return effect.isThere === true ? { ...effect, told: 'unknown' } : effect;
}

function isFault(meets: Case['meets']): meets is FaultName {
  return faults.some((name) => name === meets);
}

async function afflict(
  { gate, emulator }: World,
  link: LinkName,
  fault: FaultName,
  hasEnded: () => boolean,
): Promise<void> {
  if (fault === 'cut') gate.links[link].cut();
  else if (fault === 'lose') gate.links[link].set({ kind: 'lose-reply', nth: 1 });
  else if (fault === 'late') {
    for (let waited = 0; waited < LATE_MS && !hasEnded(); waited += 50) await pause(50);
  } else if (link === 'host') {
    await emulator.faults.add(fault === 'refuse' ? { kind: 'error' } : { kind: 'garbage' });
  }
}
