/** An answer of the API that is not a success: an HTTP status and the text of `error.message`. */
export class ApiError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.name = 'ApiError';
    this.status = status;
  }
}

/** The 404 that the API gives for an asset it does not have. */
export function notFound(publicId: string): ApiError {
  return new ApiError(404, `Resource not found - ${publicId}`);
}
