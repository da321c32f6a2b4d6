import * as testing from '@holdfast/shared/testing';

/** A source of chance, which also gives what parsers stumble over. */
export interface Random extends Pick<testing.Random, 'pick' | 'chance'> {
  /** From 0 up to, and not including, `below`. */
  int(below: number): number;
  bytes(count: number): Buffer;
  /** Printable and other characters that parsers care about. */
  junk(length: number): string;
}

const JUNK = ` abcXYZ019-_.~!*'();:@&=+$,/?%#[]{}<>"\\|^\`\t\u0000\u0001\u007f\u00e9\u00ff`;

export function createRandom(seed: number): Random {
  const random = testing.createRandom(seed);
  const int = (below: number): number => random.whole(0, below - 1);
  return {
    ...random,
    int,
    bytes: (count) => Buffer.from(Array.from({ length: count }, () => int(256))),
    junk: (length) => Array.from({ length }, () => JUNK.charAt(int(JUNK.length))).join(''),
  };
}
