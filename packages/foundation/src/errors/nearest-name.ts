import { distance } from 'fastest-levenshtein';

/**
 * The first of `names` that was probably meant by an unknown one: at most `slips` letters differ. A letter left out, added or
 * changed is one slip, two letters that changed places are two.
 */
export function nearestName(name: string, names: readonly string[], slips: number): string | undefined {
  return names.find((known) => distance(name, known) <= slips);
}
