/** Limits of the fields that clients set, in characters (Unicode code points). */
export const mediaLimits = {
  title: 500,
  description: 5_000,
  category: 100,
  tag: 100,
  tags: 50,
  filename: 255,
} as const;
