export { explainFailure } from './explain-failure.js';
export { errorCatalogue, type ErrorCode, type ErrorEntry } from './error-catalogue.js';
export { PROBLEM_TYPE, problemOf, type Problem } from './problem.js';
export {
  HoldfastError,
  isHoldfastError,
  toHoldfastError,
  type FieldProblem,
  type HoldfastErrorOptions,
} from './holdfast-error.js';
export { nearestName } from './nearest-name.js';
