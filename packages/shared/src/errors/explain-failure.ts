import type { HoldfastError } from './holdfast-error.js';

/** Why a process did not start, for the person at the terminal: the code, the detail, and every single problem. */
export function explainFailure(error: HoldfastError): string {
  const cause = error.cause instanceof Error ? ` (${error.cause.message})` : '';
  const problems = (error.errors ?? []).map(({ path, message }) => `  ${path} ${message}\n`);
  return `${error.code}: ${error.message}${cause}\n${problems.join('')}`;
}
