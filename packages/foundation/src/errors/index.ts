export { errorCatalogue, type ErrorCode, type ErrorEntry } from './error-catalogue.js';
export {
  explainFailure,
  HoldfastError,
  isHoldfastError,
  PROBLEM_TYPE,
  problemOf,
  toHoldfastError,
  type FieldProblem,
  type HoldfastErrorOptions,
  type Problem,
} from './holdfast-error.js';
export { nearestName } from './nearest-name.js';
