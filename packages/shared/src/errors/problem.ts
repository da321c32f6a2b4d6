import { errorCatalogue } from './error-catalogue.js';
import type { FieldProblem, HoldfastError } from './holdfast-error.js';

/** Media type of every error answer. */
export const PROBLEM_TYPE = 'application/problem+json';

/** The body of every error answer (RFC 9457). */
export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  code: string;
  requestId: string;
  errors?: readonly FieldProblem[];
}

/** Says nothing of causes: they are for the log. */
export function problemOf(error: HoldfastError, requestId: string): Problem {
  const { status, title } = errorCatalogue[error.code];
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
