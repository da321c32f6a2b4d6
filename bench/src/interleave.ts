import { median, spreadOf } from './statistics.js';

export interface Comparison {
  /** Medians over the rounds. */
  ours: number;
  against: number;
  /** Median of the ratios round by round: what slows the machine for a while slows both halves of a round. */
  ratio: number;
  spread: { low: number; high: number };
}

/** Measures both in turns, A B A B, after one unmeasured turn of each. Each resolves with a number to compare. */
export async function interleave(
  rounds: number,
  ours: () => Promise<number>,
  against: () => Promise<number>,
): Promise<Comparison> {
  const [comparison] = await interleaveMany(
    rounds,
    async () => [await ours()],
    async () => [await against()],
  );
  if (comparison === undefined) throw new Error('nothing was measured');
  return comparison;
}

/** The same where one turn gives several numbers, each compared with the one at its place on the other side. */
export async function interleaveMany(
  rounds: number,
  ours: () => Promise<readonly number[]>,
  against: () => Promise<readonly number[]>,
): Promise<Comparison[]> {
  await against();
  await ours();
  const ourRounds: (readonly number[])[] = [];
  const theirRounds: (readonly number[])[] = [];
  for (let round = 0; round < rounds; round += 1) {
    theirRounds.push(await against());
    ourRounds.push(await ours());
  }
  return (ourRounds[0] ?? []).map((_, column) => {
    const values = ourRounds.map((row) => row[column] ?? Number.NaN);
    const others = theirRounds.map((row) => row[column] ?? Number.NaN);
    const ratios = values.map((value, round) => value / (others[round] ?? Number.NaN));
    return {
      ours: median(values),
      against: median(others),
      ratio: median(ratios),
      spread: spreadOf(ratios),
    };
  });
}
