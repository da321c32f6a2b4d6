export { explainFailure } from './explain-failure.js';
export { errorCatalogue, type ErrorCode } from './error-catalogue.js';
export {
  HoldfastError,
  isHoldfastError,
  toHoldfastError,
  type FieldProblem,
  type HoldfastErrorOptions,
} from './holdfast-error.js';
