import { errorCatalogue, type ErrorCode, type ErrorEntry } from './error-catalogue.js';

/** One problem of the input; `path` names the field or the setting. */
export interface FieldProblem {
  path: string;
  message: string;
}

/** What an error says besides its code. */
export interface HoldfastErrorOptions {
  /** What was caught. For logs, never for clients. */
  cause?: unknown;
  /** Seconds to wait before the same request may succeed; becomes `Retry-After`. */
  retryAfterSeconds?: number | undefined;
  /** The single problems of the input, for clients and operators. */
  errors?: readonly FieldProblem[];
}

/** The only class of error that leaves a module: a code of the catalogue, a detail for people, a cause. */
export class HoldfastError extends Error {
  readonly code: ErrorCode;
  readonly retryAfterSeconds: number | undefined;
  readonly errors: readonly FieldProblem[] | undefined;

  constructor(code: ErrorCode, detail?: string, options: HoldfastErrorOptions = {}) {
    super(detail ?? errorCatalogue[code].title, { cause: options.cause });
    this.name = 'HoldfastError';
    this.code = code;
    this.retryAfterSeconds = options.retryAfterSeconds;
    this.errors = options.errors;
  }

  get status(): number {
    return errorCatalogue[this.code].status;
  }
}

/** Whether it is a HoldfastError and, if codes are given, has one of them. */
export function isHoldfastError(error: unknown, ...codes: readonly ErrorCode[]): error is HoldfastError {
  return error instanceof HoldfastError && (codes.length === 0 || codes.includes(error.code));
}

/** Any thrown value as a HoldfastError; an unexpected one becomes INTERNAL with the value as its cause. */
export function toHoldfastError(error: unknown): HoldfastError {
  return error instanceof HoldfastError ? error : new HoldfastError('INTERNAL', undefined, { cause: error });
}

/** Media type of every error response. */
export const PROBLEM_TYPE = 'application/problem+json';

export type Problem = ReturnType<typeof problemOf>;

/** The body of every error response (RFC 9457), without causes: those are for the log. */
export function problemOf(error: HoldfastError, requestId: string) {
  const { status, title }: ErrorEntry = errorCatalogue[error.code];
  return {
    type: `urn:holdfast:problem:${error.code}`,
    title,
    status,
    detail: error.code === 'INTERNAL' ? title : error.message,
    code: error.code,
    requestId,
    ...(error.errors === undefined ? {} : { errors: error.errors }),
  };
}

/** Why a process did not start, for the person at the terminal: the code, the detail, and every single problem. */
export function explainFailure(error: HoldfastError): string {
  const cause = error.cause instanceof Error ? ` (${error.cause.message})` : '';
  const problems = (error.errors ?? []).map(({ path, message }) => `  ${path} ${message}\n`);
  return `${error.code}: ${error.message}${cause}\n${problems.join('')}`;
}
