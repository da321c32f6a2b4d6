/** Request headers that some routes look at. */
export const parameterHeaders = {
  Prefer: {
    description: '`wait=N`: wait up to N seconds for the result (RFC 7240).',
    schema: { type: 'string', examples: ['wait=10'] },
  },
  'Idempotency-Key': {
    description: 'The same key from the same client within 24 hours yields the same media once.',
    schema: { type: 'string', minLength: 1, maxLength: 255 },
  },
  'Repr-Digest': {
    description: 'SHA-256 of the file, compared with what arrives (RFC 9530).',
    schema: { type: 'string', examples: ['sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:'] },
  },
  'If-Match': {
    description: 'Entity tag of the record or file that is meant: 412 where it has another one.',
    schema: { type: 'string' },
  },
  'If-None-Match': {
    description: 'Entity tag of the record or file that the client has: 304 where it is still the same.',
    schema: { type: 'string' },
  },
  'If-Modified-Since': {
    description: '`Last-Modified` of the file that the client has; `If-None-Match` counts before it.',
    schema: { type: 'string' },
  },
  'If-Unmodified-Since': {
    description: '`Last-Modified` of the file that is meant; `If-Match` counts before it.',
    schema: { type: 'string' },
  },
  Range: {
    description: 'Part of the file, of a GET only.',
    schema: { type: 'string', examples: ['bytes=0-999'] },
  },
  'If-Range': {
    description:
      'Entity tag or `Last-Modified` of the file that the part belongs to: else the whole is sent.',
    schema: { type: 'string' },
  },
  'X-Cld-Timestamp': { description: 'Seconds since the epoch.', schema: { type: 'string' }, required: true },
  'X-Cld-Signature': {
    description: 'Of the body, the timestamp and the API secret.',
    schema: { type: 'string' },
    required: true,
  },
} as const;

/** Response headers that some answers carry; X-Request-Id is on all of them. */
export const responseHeaders = {
  Location: { description: 'Path of the record, or where a file was moved to.', schema: { type: 'string' } },
  ETag: { description: 'Entity tag of the record, file or page.', schema: { type: 'string' } },
  'Last-Modified': { description: 'When the file was stored.', schema: { type: 'string' } },
  'Accept-Ranges': { description: 'That parts may be asked for.', schema: { type: 'string' } },
  'Content-Range': {
    description: 'Which part of the file this is, and the size of the whole.',
    schema: { type: 'string' },
  },
  'WWW-Authenticate': {
    description: 'Which credentials would be accepted.',
    schema: { type: 'string' },
  },
  'Preference-Applied': { description: 'That the request waited.', schema: { type: 'string' } },
  'Idempotent-Replayed': {
    description: '`true` when an earlier request with the key has this answer.',
    schema: { type: 'string' },
  },
  RateLimit: {
    description:
      'How many more writes this client may send (`r`), and for how many seconds (`t`), where `RATE_LIMIT_PER_MINUTE` is set.',
    schema: { type: 'string', examples: ['"writes"; r=59; t=60'] },
  },
  'RateLimit-Policy': {
    description: 'How many writes each client may send (`q`), in how many seconds (`w`).',
    schema: { type: 'string', examples: ['"writes"; q=60; w=60; pk=:…:'] },
  },
  'Retry-After': { description: 'Seconds after which to try again.', schema: { type: 'string' } },
  'X-Report-Cut': { description: '`cut` of the page.', schema: { type: 'string' } },
  'X-Run-Id': { description: '`runId` of the page.', schema: { type: 'string' } },
  'X-Request-Id': {
    description: 'Of the client where it sent a sane one, else a fresh one.',
    schema: { type: 'string' },
  },
} as const;
