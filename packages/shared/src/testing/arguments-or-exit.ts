/**
 * The parsed command line of this process. `read` returns undefined for a request for help and throws for wrong usage. Both
 * print the usage and end the process, with code 0 for help and 2 for wrong usage.
 */
export function argumentsOrExit<T>(read: (args: readonly string[]) => T | undefined, usage: string): T {
  try {
    const given = read(process.argv.slice(2));
    if (given !== undefined) return given;
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${usage}`);
    process.exit(2);
  }
  process.stdout.write(usage);
  process.exit(0);
}
