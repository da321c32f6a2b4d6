/** What a figure has to reach (docs/performance.md); null where it only informs. */
export type Target = { atLeast: number } | { atMost: number } | null;

/** One measured number of a row, together with what it was measured against in the same run. */
export interface Figure {
  what: string;
  /** Both sides as text, with units, e.g. `212 /s`. */
  ours: string;
  against: string;
  /** What the target judges: a ratio, or an absolute number where the target is one. */
  value: number;
  /** `x` = times what it was measured against. */
  unit: 'x' | 'ms' | 's' | 'MB' | 'bytes' | '/min' | 'commands';
  /** Lowest and highest of the repeats; null where there was only one. */
  spread: { low: number; high: number } | null;
  target: Target;
}

export function isReached({ value, target }: Figure): boolean | null {
  if (target === null) return null;
  return 'atLeast' in target ? value >= target.atLeast : value <= target.atMost;
}
