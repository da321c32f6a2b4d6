import { HoldfastError } from '@holdfast/shared/errors';

/** The handler of a route that has no meaning with this configuration. */
export function notSupported(detail: string): () => Promise<never> {
  return () => Promise.reject(new HoldfastError('NOT_SUPPORTED', detail));
}
