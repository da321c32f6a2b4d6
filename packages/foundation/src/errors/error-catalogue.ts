/** What is the same for every error of a code. */
export interface ErrorEntry {
  status: number;
  title: string;
  /** Seconds after which the same request may succeed; an error that knows better says so itself. */
  retryAfterSeconds?: number;
}

/**
 * Every code that a client, an operator or a log can meet: its HTTP status and its title.
 * Codes are part of the contract: they are added, never renamed. Sorted by status.
 */
export const errorCatalogue = {
  INVALID_REQUEST: { status: 400, title: 'The request is not valid' },
  MALFORMED_BODY: { status: 400, title: 'The body cannot be read' },
  FILE_MISSING: { status: 400, title: 'No file in the request' },
  FILE_EMPTY: { status: 400, title: 'The file is empty' },
  TOO_MANY_FILES: { status: 400, title: 'More than one file in the request' },
  INVALID_CURSOR: { status: 400, title: 'The cursor is not valid' },
  DIGEST_MISMATCH: { status: 400, title: 'The bytes do not match the digest in the request' },
  CLIENT_ABORTED: { status: 400, title: 'The client ended the upload before it was complete' },
  UNAUTHENTICATED: { status: 401, title: 'A valid API key is required' },
  INVALID_SIGNATURE: { status: 401, title: 'The signature is invalid, too old or already used' },
  FORBIDDEN: { status: 403, title: 'The API key lacks the required role' },
  CROSS_SITE: { status: 403, title: 'Refused: the request comes from another site' },
  FOREIGN_HOST: { status: 403, title: 'Refused: the Host header does not name this machine' },
  NOT_FOUND: { status: 404, title: 'No such path' },
  MEDIA_NOT_FOUND: { status: 404, title: 'No such media item' },
  METHOD_NOT_ALLOWED: { status: 405, title: 'Method not allowed' },
  REQUEST_TIMEOUT: { status: 408, title: 'The request took too long to arrive' },
  MEDIA_DELETING: { status: 409, title: 'The media item is being deleted' },
  MEDIA_UNSETTLED: { status: 409, title: 'The media item cannot be changed in its current state' },
  UPLOAD_INCOMPLETE: { status: 409, title: 'The media host does not have the file yet' },
  IDEMPOTENCY_IN_PROGRESS: { status: 409, title: 'A request with this Idempotency-Key is in progress' },
  REVISION_MISMATCH: { status: 412, title: 'The media item has changed since it was read' },
  FILE_TOO_LARGE: { status: 413, title: 'The file is larger than allowed' },
  BODY_TOO_LARGE: { status: 413, title: 'The body is larger than allowed' },
  HOST_LIMIT: { status: 413, title: 'The file is larger than the plan of the media host allows' },
  UNSUPPORTED_TYPE: { status: 415, title: 'Files of this type are not accepted' },
  UNSUPPORTED_BODY: { status: 415, title: 'The content type of the request is not accepted' },
  RANGE_NOT_SATISFIABLE: { status: 416, title: 'The requested range is outside the file' },
  IDEMPOTENCY_MISMATCH: { status: 422, title: 'The Idempotency-Key was used for another request' },
  RATE_LIMITED: { status: 429, title: 'Too many requests' },
  HEADERS_TOO_LARGE: { status: 431, title: 'The request headers are too large' },
  INTERNAL: { status: 500, title: 'Unexpected error' },
  NOT_SUPPORTED: { status: 501, title: 'Not supported with this configuration' },
  HOST_REJECTED: { status: 502, title: 'The media host refused the request or failed' },
  HOST_CONTENT_MISMATCH: { status: 502, title: 'The media host stored different bytes than were sent' },
  HOST_ALTERS_UPLOADS: { status: 502, title: 'The account on the media host is set to alter uploads' },
  HOST_CONTEXT_UNWRITABLE: { status: 502, title: 'The asset has context of others that cannot be preserved' },
  QUEUE_UNAVAILABLE: { status: 503, title: 'The queue cannot be reached' },
  CATALOG_UNAVAILABLE: { status: 503, title: 'The catalog cannot be reached' },
  CATALOG_REBUILDING: { status: 503, title: 'The catalog is being refilled', retryAfterSeconds: 5 },
  OVERLOADED: { status: 503, title: 'The server is overloaded', retryAfterSeconds: 2 },
  UPLOAD_EXPIRED: { status: 503, title: 'The upload stalled and was abandoned', retryAfterSeconds: 1 },
  SHUTTING_DOWN: { status: 503, title: 'The server is shutting down', retryAfterSeconds: 2 },
  HOST_TIMEOUT: { status: 504, title: 'The media host did not answer in time' },
  STORAGE_FULL: { status: 507, title: 'The disk of the media host is full' },
  // Never sent to clients: start-up and job failures.
  CONFIG_INVALID: { status: 500, title: 'The configuration is not valid' },
  DATA_DIR_IN_USE: { status: 500, title: 'The data folder is in use by another process' },
  DATA_DIR_INCOMPATIBLE: { status: 500, title: 'The server cannot use what is in the data folder' },
  REDIS_SERVER_MISSING: { status: 500, title: 'No redis-server or valkey-server was found' },
  REDIS_START_FAILED: { status: 500, title: 'The embedded Redis did not start' },
  REDIS_UNSUITABLE: { status: 500, title: 'The Redis server lacks what Holdfast needs' },
  RECORD_DIFFERS: { status: 500, title: 'The record read back differs from the record saved' },
  DURABILITY_TOO_LOW: { status: 500, title: 'The Redis server confirmed less durability than required' },
  WORKER_LOST: { status: 500, title: 'The job lost its worker too often' },
  HOST_RATE_LIMITED: { status: 502, title: 'The media host asked to wait' },
  ASSET_UNREADABLE: { status: 502, title: 'The metadata of the asset on the media host cannot be read' },
  HOST_CURSOR_SPENT: { status: 502, title: 'The media host no longer accepts the listing cursor' },
  RUN_SUPERSEDED: { status: 409, title: 'Another sync run holds the lease' },
} as const satisfies Record<string, ErrorEntry>;

/** One code of the catalogue; docs/errors.md says of each what to do. */
export type ErrorCode = keyof typeof errorCatalogue;
