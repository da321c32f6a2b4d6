/** Request headers that some routes read. */
export const requestHeaders = {
  Prefer: {
    description:
      '`wait=N`: wait up to N seconds, 300 at most, for the result (RFC 7240). Where too many requests wait, the answer comes at once.',
    schema: { type: 'string', examples: ['wait=10'] },
  },
  'Idempotency-Key': {
    description: 'The same key from the same client within 24 hours creates one media item, once.',
    schema: { type: 'string', minLength: 1, maxLength: 255 },
  },
  'Repr-Digest': {
    description: 'SHA-256 of the file, compared with the bytes received (RFC 9530).',
    schema: { type: 'string', examples: ['sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:'] },
  },
  'If-Match': {
    description: 'Entity tag that the record or file must have, else 412.',
    schema: { type: 'string' },
  },
  'If-None-Match': {
    description: 'Entity tag of the copy that the client has: 304 if it is still current.',
    schema: { type: 'string' },
  },
  'If-Modified-Since': {
    description: '`Last-Modified` of the copy that the client has; ignored with `If-None-Match`.',
    schema: { type: 'string' },
  },
  'If-Unmodified-Since': {
    description: '`Last-Modified` that the file must have, else 412; ignored with `If-Match`.',
    schema: { type: 'string' },
  },
  Range: {
    description: 'The part of the file to send; GET only.',
    schema: { type: 'string', examples: ['bytes=0-999'] },
  },
  'If-Range': {
    description:
      'Entity tag or `Last-Modified` of the file that the part belongs to; if it differs, the whole file is sent.',
    schema: { type: 'string' },
  },
  'X-Cld-Timestamp': { description: 'Seconds since the epoch.', schema: { type: 'string' }, required: true },
  'X-Cld-Signature': {
    description: 'Signature over the body, the timestamp and the API secret.',
    schema: { type: 'string' },
    required: true,
  },
} as const;

/** Response headers that some answers carry; X-Request-Id is on all of them. */
export const responseHeaders = {
  Location: {
    description: 'Path of the record, or the new address of a file that was moved.',
    schema: { type: 'string' },
  },
  ETag: { description: 'Entity tag of the record, file or page.', schema: { type: 'string' } },
  'Last-Modified': { description: 'When the file was stored.', schema: { type: 'string' } },
  'Accept-Ranges': { description: 'Ranges are supported.', schema: { type: 'string' } },
  'Content-Range': {
    description: 'The part of the file that is sent, and the size of the whole file.',
    schema: { type: 'string' },
  },
  'WWW-Authenticate': {
    description: 'The credentials that would be accepted.',
    schema: { type: 'string' },
  },
  'Preference-Applied': { description: 'The request waited, as preferred.', schema: { type: 'string' } },
  'Idempotent-Replayed': {
    description: '`true` when an earlier request with this key got this answer.',
    schema: { type: 'string' },
  },
  RateLimit: {
    description:
      'Writes left for this client (`r`) in the next `t` seconds. Sent if `RATE_LIMIT_PER_MINUTE` is set.',
    schema: { type: 'string', examples: ['"writes"; r=59; t=60'] },
  },
  'RateLimit-Policy': {
    description: 'Writes allowed for each client (`q`) in `w` seconds.',
    schema: { type: 'string', examples: ['"writes"; q=60; w=60; pk=:…:'] },
  },
  'Retry-After': { description: 'Seconds to wait before trying again.', schema: { type: 'string' } },
  'X-Report-Cut': { description: '`cut` of the report.', schema: { type: 'string' } },
  'X-Run-Id': { description: '`runId` of the report.', schema: { type: 'string' } },
  'X-Request-Id': {
    description: 'The id that the client sent, if it is well-formed; otherwise a new one.',
    schema: { type: 'string' },
  },
} as const;

export type RequestHeader = keyof typeof requestHeaders;
export type ResponseHeader = keyof typeof responseHeaders;
