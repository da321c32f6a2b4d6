import type { Figure } from './figure.js';
import type { CleanUp } from './stage/clean-up.js';

export interface RowOptions {
  /** Sizes of the contract instead of those that fit a coffee break. */
  large: boolean;
  /** Fewer repeats: to see that the benchmarks work, not to quote them. */
  quick: boolean;
}

/** Measures one row of the table. Whatever it starts it defers to `cleanUp`, and it ends by itself. */
export type MeasureRow = (options: RowOptions, cleanUp: CleanUp) => Promise<Figure[]>;
