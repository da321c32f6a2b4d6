import type { Environment } from '@holdfast/shared/config';

/** What a command did, printed as JSON. */
export interface CommandResult {
  exitCode: 0 | 1;
  report: Record<string, unknown>;
}

/** `signal` aborts when somebody interrupts. Rejects with a HoldfastError. */
export type Command = (env: Environment, signal: AbortSignal) => Promise<CommandResult>;
