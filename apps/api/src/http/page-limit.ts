import { z } from 'zod';

/** The query parameter `limit`: how many items of a list a client wants, as a whole number from 1 to `most`. */
export const pageLimit = (most: number) =>
  z
    .string('must be given once')
    .regex(/^\d{1,9}$/, 'must be a whole number')
    .transform(Number)
    .pipe(
      z
        .number()
        .min(1, 'must be at least 1')
        .max(most, `must be at most ${String(most)}`),
    );
