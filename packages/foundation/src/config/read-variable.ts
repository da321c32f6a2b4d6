import { HoldfastError, isHoldfastError } from '../errors/index.js';

// Readers of single variables. An empty variable counts as unset, as in most deployment consoles.

/** The process environment, or a part of it in tests. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Makes a value of the text of a variable, which has no spaces around it. Throws `unusable`. */
export type Read<T> = (value: string) => T;

/**
 * What is wrong with a variable: ends of sentences whose subject is the variable. They never repeat a value, which may be a secret.
 */
export function unusable(...messages: readonly string[]): HoldfastError {
  const errors = messages.map((message) => ({ path: '', message }));
  return new HoldfastError('CONFIG_INVALID', messages.join('; '), { errors });
}

/** What `unusable` says where `read` throws it. */
export function problemsOf(read: () => void): readonly string[] {
  try {
    read();
    return [];
  } catch (error) {
    if (isHoldfastError(error, 'CONFIG_INVALID')) return (error.errors ?? []).map(({ message }) => message);
    throw error;
  }
}

export const text: Read<string> = (value) => value;

export function matching(pattern: RegExp, message: string): Read<string> {
  return (value) => {
    if (pattern.test(value)) return value;
    throw unusable(message);
  };
}

export function oneOf<const Word extends string>(words: readonly Word[]): Read<Word> {
  return (value) => {
    const word = words.find((known) => known === value);
    if (word === undefined) throw unusable(`must be one of ${words.join(', ')}`);
    return word;
  };
}

export function wholeNumber(min: number, max: number): Read<number> {
  const message = `must be a whole number from ${String(min)} to ${String(max)}`;
  return (value) => {
    if (/^\d+$/.test(value) && Number(value) >= min && Number(value) <= max) return Number(value);
    throw unusable(message);
  };
}

/** As milliseconds. */
export function seconds(min: number, max: number): Read<number> {
  const read = wholeNumber(min, max);
  return (value) => read(value) * 1_000;
}

export const flag: Read<boolean> = (value) => {
  if (/^(true|1|yes)$/i.test(value)) return true;
  if (/^(false|0|no)$/i.test(value)) return false;
  throw unusable('must be true or false');
};

/** Comma-separated entries, of which empty ones are ignored. `read` gets those before, too. */
export function list<T>(read: (entry: string, before: readonly T[]) => T): Read<readonly T[]> {
  return (value) => {
    const entries = value.split(',').flatMap((entry) => entry.trim() || []);
    const values: T[] = [];
    const problems = entries.flatMap((entry, index) =>
      problemsOf(() => void values.push(read(entry, values))).map(
        (message) => `entry ${String(index + 1)} ${message}`,
      ),
    );
    if (problems.length > 0) throw unusable(...problems);
    return values;
  };
}

/** For lists of which none means everything or nothing: `$A,$B` whose parts are not set must not count as empty. */
export function filledList<T>(read: (entry: string, before: readonly T[]) => T): Read<readonly T[]> {
  const readAll = list(read);
  return (value) => {
    if (/^[\s,]+$/.test(value)) throw unusable('must have at least one entry');
    return readAll(value);
  };
}

/** The variables that are set, without spaces around their values. `NAME=` means the same as no NAME. */
export function setVariables(env: Environment): Readonly<Record<string, string>> {
  const trimmed = Object.entries(env).map(([name, value = '']) => [name, value.trim()] as const);
  return Object.fromEntries(trimmed.filter(([, value]) => value !== ''));
}

/** The URL, or null if the text is not a URL. */
export function parseUrl(value: string): URL | null {
  return URL.canParse(value) ? new URL(value) : null;
}
