/** Numbers that follow from a seed, so that a run can be repeated. */
export interface Random {
  /** From 0 up to, and not including, `below`. */
  int(below: number): number;
  pick<T>(from: readonly T[]): T;
  chance(share: number): boolean;
  bytes(count: number): Buffer;
  /** Printable and other characters that parsers care about. */
  junk(length: number): string;
}

const JUNK = ` abcXYZ019-_.~!*'();:@&=+$,/?%#[]{}<>"\\|^\`\t\u0000\u0001\u007f\u00e9\u00ff`;

/** Mulberry32. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const int = (below: number): number => Math.floor(next() * below);
  const pick = <T>(from: readonly T[]): T => {
    const picked = from[int(from.length)];
    if (picked === undefined) throw new Error('nothing to pick from');
    return picked;
  };
  return {
    int,
    pick,
    chance: (share) => next() < share,
    bytes: (count) => Buffer.from(Array.from({ length: count }, () => int(256))),
    junk: (length) => Array.from({ length }, () => JUNK.charAt(int(JUNK.length))).join(''),
  };
}
