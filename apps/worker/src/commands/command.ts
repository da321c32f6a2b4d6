import type { Environment } from '@holdfast/shared/config';

/** What a command did. */
export interface CommandResult {
  /** 0 = all is well, 1 = something is not. */
  exitCode: 0 | 1;
  /** The document of `--json`. */
  report: Record<string, unknown>;
  /** The same for people. A line break at the end is added where it lacks one. */
  text: string;
}

export interface CommandOption {
  type: 'boolean' | 'string';
  /** One letter that means the same. */
  short?: string;
  /** One line of the help. */
  description: string;
  /** What the help shows in place of the value of a `string`, such as `local|cloudinary`. */
  value?: string;
}

/** The values of the options that were given. */
export type CommandArguments = Readonly<Record<string, string | boolean | undefined>>;

/** One row of the table in `holdfast.ts`. Every command also has `--help` and `--json`. */
export interface Command {
  /** One line of the list of commands. */
  summary: string;
  /** What else `--help` says, in whole lines. */
  details?: string;
  options?: Readonly<Record<string, CommandOption>>;
  /**
   * `signal` aborts when the user interrupts. Rejects with a UsageError for options that make no sense, otherwise with a
   * HoldfastError. Stdout is left to the result; progress goes to stderr.
   */
  run: (env: Environment, args: CommandArguments, signal: AbortSignal) => Promise<CommandResult>;
}

/** The command was used wrongly: its help is printed, and the exit code is 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}
