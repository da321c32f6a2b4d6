/** Who sends or takes media more slowly is not waited for; deadlines of whole transfers are told from it. */
export const SLOWEST_BYTES_PER_SECOND = 10_000;

/** Limits of the fields that clients set, in characters (Unicode code points). */
export const mediaLimits = {
  title: 500,
  description: 5_000,
  category: 100,
  tag: 100,
  tags: 50,
  filename: 255,
} as const;
