import { HoldfastError } from '@holdfast/shared/errors';
import { endpoint, type Endpoint } from './endpoint.js';

/** Stands where a route has no meaning with this configuration. */
export function notSupported(detail: string): Endpoint {
  return endpoint({ handle: () => Promise.reject(new HoldfastError('NOT_SUPPORTED', detail)) });
}
