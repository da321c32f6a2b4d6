import { explainFailure, toHoldfastError } from '../errors/index.js';

/** Runs the main function of a process. One that rejects is explained at the terminal, and ends the process with code 1. */
export async function runMain(main: () => Promise<void>): Promise<void> {
  // The terminal or the pipe may go away; that must not take the service down with it.
  for (const output of [process.stdout, process.stderr]) output.on('error', () => undefined);
  try {
    await main();
  } catch (error) {
    process.stderr.write(explainFailure(toHoldfastError(error)));
    process.exit(1);
  }
}
