import { runOrExit } from './run-command.mjs';

/** Builds every package that has something to build; what did not change comes from turbo's cache. */
export const buildWorkspace = () =>
  runOrExit('turbo', ['run', 'build', '--output-logs=errors-only', '--log-order=grouped'], { quiet: true });
