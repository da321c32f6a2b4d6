import { errorCatalogue, type ErrorCode } from './error-catalogue.js';

/** One problem with one part of the input; `path` names the field or setting. */
export interface FieldProblem {
  path: string;
  message: string;
}

/** What an error says besides its code. */
export interface HoldfastErrorOptions {
  /** What was caught. For logs, never for clients. */
  cause?: unknown;
  /** Seconds after which the same request has a chance; becomes `Retry-After`. */
  retryAfterSeconds?: number;
  /** Each problem of the input by itself; clients and operators read them. */
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

/** Whether it is one of ours and, where codes are given, has one of them. */
export function isHoldfastError(error: unknown, ...codes: readonly ErrorCode[]): error is HoldfastError {
  return error instanceof HoldfastError && (codes.length === 0 || codes.includes(error.code));
}

/** Any thrown value as a HoldfastError; what we did not foresee becomes INTERNAL with the value as its cause. */
export function toHoldfastError(error: unknown): HoldfastError {
  return error instanceof HoldfastError ? error : new HoldfastError('INTERNAL', undefined, { cause: error });
}
