import { HoldfastError, isHoldfastError, toHoldfastError, type ErrorCode } from '@holdfast/shared/errors';

/** Errors of Express' body parser by their `type`. */
const bodyErrors: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  'entity.parse.failed': ['MALFORMED_BODY', 'the body is no JSON object'],
  'entity.verify.failed': ['MALFORMED_BODY', 'the body is not in UTF-8'],
  'entity.too.large': ['BODY_TOO_LARGE', 'the body is larger than a request of this kind may be'],
  'encoding.unsupported': ['UNSUPPORTED_BODY', 'the content encoding is not supported'],
  'charset.unsupported': ['UNSUPPORTED_BODY', 'the body must be JSON in UTF-8'],
  'request.aborted': ['CLIENT_ABORTED', 'the body ended before it was complete'],
  'request.size.invalid': ['MALFORMED_BODY', 'the body does not have the announced length'],
};

/**
 * Any error that reached the edge as clients get it: those of Express and its parsers become 4xx, a host that asks to wait
 * is one that refused, with the time it named, and so is one whose files are damaged; the rest INTERNAL.
 */
export function fromForeignError(error: unknown): HoldfastError {
  if (isHoldfastError(error, 'HOST_RATE_LIMITED', 'ASSET_UNREADABLE')) {
    const { message, retryAfterSeconds } = error;
    return new HoldfastError('HOST_REJECTED', message, {
      cause: error,
      ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
    });
  }
  if (error instanceof HoldfastError || typeof error !== 'object' || error === null)
    return toHoldfastError(error);
  const { type, status, expose } = error as { type?: unknown; status?: unknown; expose?: unknown };
  const known = typeof type === 'string' ? bodyErrors[type] : undefined;
  if (known !== undefined) return new HoldfastError(known[0], known[1], { cause: error });
  if (error instanceof URIError)
    return new HoldfastError('INVALID_REQUEST', 'the path is not a valid URI', { cause: error });
  if (status === 404) return new HoldfastError('NOT_FOUND', undefined, { cause: error });
  // Without a type: what the decompression of the body throws.
  if ((typeof type === 'string' || expose === true) && status === 400)
    return new HoldfastError('MALFORMED_BODY', 'the body cannot be read', { cause: error });
  return toHoldfastError(error);
}
