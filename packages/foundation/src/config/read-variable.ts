import { z } from 'zod';
import { HoldfastError, isHoldfastError } from '../errors/index.js';

// Readers of single variables. An empty variable counts as unset, as in most deployment consoles.

/** The process environment, or a part of it in tests. */
export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * What is wrong with a variable: the end of a sentence whose subject is the variable. It never repeats a value, which may be a
 * secret.
 */
export function unusable(message: string): HoldfastError {
  return new HoldfastError('CONFIG_INVALID', message);
}

export function text(fallback: string) {
  return z.string().trim().default(fallback);
}

export function optionalText() {
  return z.string().trim().optional();
}

export function oneOf<const Word extends string>(words: readonly [Word, ...Word[]]) {
  return z.enum(words, `must be one of ${words.join(', ')}`);
}

export function wholeNumber(min: number, max: number) {
  return z
    .string()
    .trim()
    .refine(
      (value) => /^\d+$/.test(value) && Number(value) >= min && Number(value) <= max,
      `must be a whole number from ${String(min)} to ${String(max)}`,
    )
    .transform(Number);
}

export function flag(fallback: boolean) {
  return z
    .string()
    .trim()
    .toLowerCase()
    .pipe(z.enum(['true', 'false', '1', '0', 'yes', 'no'], 'must be true or false'))
    .transform((value) => value === 'true' || value === '1' || value === 'yes')
    .default(fallback);
}

/** A value that `read` makes of the text. It throws `unusable`. */
export function parsed<T>(read: (value: string) => T) {
  return z
    .string()
    .trim()
    .transform((value, context) => {
      try {
        return read(value);
      } catch (error) {
        context.addIssue(messageOf(error));
        return z.NEVER;
      }
    });
}

/** Makes a value of one entry of a list; it gets the ones before. Throws `unusable`. */
type ReadEntry<T> = (entry: string, before: readonly T[]) => T;

/** Comma-separated entries, of which empty ones are ignored. */
export function list<T>(read: ReadEntry<T>) {
  return entries(read).default([]);
}

/** For lists of which none means everything or nothing: `$A,$B` whose parts are not set must not count as empty. */
export function filledList<T>(read: ReadEntry<T>, fallback: readonly T[] = []) {
  return z
    .string()
    .refine((value) => /[^\s,]/.test(value), 'must have at least one entry')
    .pipe(entries(read))
    .default([...fallback]);
}

function entries<T>(read: ReadEntry<T>) {
  return z.string().transform((value, context): readonly T[] => {
    const given = value
      .split(',')
      .map((entry) => entry.trim())
      .filter((entry) => entry !== '');
    const values: T[] = [];
    for (const [index, entry] of given.entries())
      try {
        values.push(read(entry, values));
      } catch (error) {
        context.addIssue(`entry ${String(index + 1)} ${messageOf(error)}`);
      }
    return values;
  });
}

function messageOf(error: unknown): string {
  if (isHoldfastError(error, 'CONFIG_INVALID')) return error.message;
  throw error;
}

/** Drops empty variables, so that `NAME=` means the same as no NAME. */
export function withoutEmpty(env: Environment): Record<string, string> {
  const result: Record<string, string> = {};
  for (const [name, value] of Object.entries(env)) {
    if (value !== undefined && value.trim() !== '') result[name] = value;
  }
  return result;
}

/** The URL, or null if the text is not a URL. */
export function parseUrl(value: string): URL | null {
  return URL.canParse(value) ? new URL(value) : null;
}
