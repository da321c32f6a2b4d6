import { parseArgs } from 'node:util';
import type { Environment } from '@holdfast/foundation/config';
import { explainFailure, HoldfastError, toHoldfastError } from '@holdfast/foundation/errors';

/** What a command did. */
export interface CommandResult {
  /** 0 = all is well, 1 = something is not. */
  exitCode: 0 | 1;
  /** The document of `--json`. */
  report: Record<string, unknown>;
  /** The same for people. A line break at the end is added where it lacks one. */
  text: string;
}

interface CommandOption {
  type: 'boolean' | 'string';
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
export class UsageError extends HoldfastError {
  constructor(message: string) {
    super('INVALID_REQUEST', message);
  }
}

export type Commands = Readonly<Record<string, Command>>;

/** What a command needs of `process`. */
interface Terminal {
  env: Environment;
  stdout: { write(text: string): unknown };
  stderr: { write(text: string): unknown };
}

const common = {
  json: { type: 'boolean', description: 'print the report as one JSON document' },
  help: { type: 'boolean', short: 'h', description: 'print this help' },
} as const;

/**
 * Runs what the command line names, prints what came of it, and resolves with the exit code. Never rejects. With `--json` stdout
 * gets one document in any case: the report, or what went wrong.
 */
export async function runCommand(
  commands: Commands,
  argv: readonly string[],
  { env, stdout, stderr }: Terminal,
  signal: AbortSignal,
): Promise<0 | 1 | 2> {
  const [name = '', ...rest] = argv;
  const print = (report: Record<string, unknown>): void => void stdout.write(`${JSON.stringify(report)}\n`);
  let usage = overview(commands);
  try {
    if (['--help', '-h', 'help'].includes(name)) {
      stdout.write(usage);
      return 0;
    }
    const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
    if (command === undefined)
      throw new UsageError(name === '' ? 'No command was given' : `Unknown command "${name}"`);
    usage = help(name, command);
    const args = readArguments(command, rest);
    if (args['help'] === true) {
      stdout.write(usage);
      return 0;
    }
    const { exitCode, report, text } = await command.run(env, args, signal);
    if (args['json'] === true) print(report);
    else stdout.write(text.endsWith('\n') ? text : `${text}\n`);
    return exitCode;
  } catch (thrown) {
    const isMisuse = thrown instanceof UsageError;
    const error = signal.aborted
      ? new HoldfastError('SHUTTING_DOWN', 'interrupted; run the command again')
      : toHoldfastError(thrown);
    const { code, message, errors } = error;
    stderr.write(isMisuse ? `${message}\n\n${usage}` : explainFailure(error));
    if (argv.includes('--json')) print({ error: { code, message, errors } });
    return isMisuse ? 2 : 1;
  }
}

function readArguments(command: Command, argv: string[]): CommandArguments {
  try {
    return parseArgs({ args: argv, options: { ...command.options, ...common } }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function overview(commands: Commands): string {
  const rows = Object.entries(commands).map(([name, { summary }]) => [name, summary] as const);
  return `Usage: npm run -s holdfast -- <command> [options]\n\n${table(rows)}\n<command> --help lists its options.\n`;
}

function help(name: string, { summary, details, options }: Command): string {
  const all: Readonly<Record<string, CommandOption>> = { ...options, ...common };
  const rows = Object.entries(all).map(([option, { description, value }]) => {
    return [`--${option}${value === undefined ? '' : ` ${value}`}`, description] as const;
  });
  const more = details === undefined ? '' : `${details.trimEnd()}\n\n`;
  return `Usage: npm run -s holdfast -- ${name} [options]\n\n${summary}\n\n${more}${table(rows)}`;
}

/** Two columns; also for the reports of commands. */
export function table(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, text]) => `  ${name.padEnd(width)}  ${text}\n`).join('');
}
