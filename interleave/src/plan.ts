import type { Random, RedisSandbox } from '@holdfast/shared/testing';
import { operations, operationsIn, type OperationName } from './operations.js';
import { countPieces, faults, nameOf, type Case } from './run-case.js';
import { situationNames, type SituationName } from './situations.js';

/** Every case of these situations: each operation, stopped at each of its pieces, with each thing that may happen then. */
export async function allCases(
  sandbox: RedisSandbox,
  within: readonly SituationName[] = situationNames,
): Promise<Case[]> {
  const cases: Case[] = [];
  for (const situation of within) {
    for (const operation of operationsIn(situation, 'stoppable')) {
      const pieces = await countPieces(sandbox, situation, operation);
      for (let at = 1; at <= pieces; at += 1)
        for (const meets of [...operationsIn(situation, 'all'), ...faults])
          cases.push({ situation, operation, at, meets });
    }
  }
  return cases;
}

/**
 * `count` cases in a seeded order, without counting pieces first: a number past the last piece stops nothing, so the
 * later pieces are drawn less often than the first ones.
 */
export function someCases(random: Random, count: number): Case[] {
  const drawn = new Map<string, Case>();
  while (drawn.size < count) {
    const situation = random.pick<SituationName>(situationNames);
    const operation = random.pick<OperationName>(operationsIn(situation, 'stoppable'));
    const at = random.whole(1, LIKELY_PIECES);
    const meets = random.pick<Case['meets']>([...operationsIn(situation, 'all'), ...faults]);
    const one = { situation, operation, at, meets };
    drawn.set(nameOf(one), one);
  }
  return [...drawn.values()];
}

const LIKELY_PIECES = 14;

/** Reads `verified/editTitle@7+delete`; null for anything else. */
export function parseCase(text: string): Case | null {
  const [, situation = '', operation = '', at = '', meets = ''] =
    /^(\w+)\/(\w+)@(\d+)\+(\w+)$/.exec(text) ?? [];
  const isKnown =
    situationNames.some((name) => name === situation) &&
    Object.hasOwn(operations, operation) &&
    (Object.hasOwn(operations, meets) || faults.some((name) => name === meets));
  return isKnown ? ({ situation, operation, at: Number(at), meets } as Case) : null;
}
