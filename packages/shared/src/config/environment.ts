import { z } from 'zod';

/** The process environment, or a part of it in tests. */
export type Environment = Readonly<Record<string, string | undefined>>;

// Readers of single variables. An empty variable counts as unset, as in most deployment consoles.

export const text = (fallback: string) => z.string().trim().default(fallback);

export const optionalText = () => z.string().trim().optional();

export const wholeNumber = (fallback: number, min: number, max: number) => {
  const message = `must be a whole number from ${String(min)} to ${String(max)}`;
  return z
    .string()
    .trim()
    .regex(/^\d+$/, message)
    .transform(Number)
    .pipe(z.number().min(min, message).max(max, message))
    .default(fallback);
};

export const oneOf = <Word extends string>(words: readonly [Word, ...Word[]]) =>
  z.enum(words, `must be one of ${words.join(', ')}`);

export const flag = (fallback: boolean) =>
  z
    .string()
    .trim()
    .toLowerCase()
    .pipe(z.enum(['true', 'false', '1', '0', 'yes', 'no'], 'must be true or false'))
    .transform((value) => value === 'true' || value === '1' || value === 'yes')
    .default(fallback);

const entries = () =>
  z.string().transform((value) =>
    value
      .split(',')
      .map((entry) => entry.trim())
      .filter((entry) => entry !== ''),
  );

export const list = (fallback: readonly string[]) => entries().default([...fallback]);

/** For lists of which none means everything or nothing: `$A,$B` whose parts were not set must not be taken for that. */
export const filledList = (fallback: readonly string[]) =>
  entries()
    .refine((given) => given.length > 0, 'has no entry')
    .default([...fallback]);

/** Drops empty variables, so that `NAME=` means the same as no NAME. */
export function withoutEmpty(env: Environment): Record<string, string> {
  const result: Record<string, string> = {};
  for (const [name, value] of Object.entries(env)) {
    if (value !== undefined && value.trim() !== '') result[name] = value;
  }
  return result;
}

/** The URL, or null where it is none. */
export function parseUrl(value: string): URL | null {
  return URL.canParse(value) ? new URL(value) : null;
}
