import type { Figure } from './figure.js';
import type { CleanUp } from './stage/clean-up.js';

export interface RowOptions {
  /** The sizes that the targets are meant for, instead of those that take minutes. */
  large: boolean;
  /** Fewer repeats: to see that the benchmarks work, not to quote them. */
  quick: boolean;
}

/** Measures one row of the table. Whatever it starts it defers to `cleanUp`, and it ends by itself. */
export type MeasureRow = (options: RowOptions, cleanUp: CleanUp) => Promise<Figure[]>;
