/** Request headers that some routes read, by name. All are texts. */
export const requestHeaders = {
  Prefer:
    '`wait=N`: wait up to N seconds, 300 at most, for the result (RFC 7240). Where too many requests wait, the answer comes at once.',
  'Idempotency-Key':
    'The same key (1 to 255 characters) from the same client within 24 hours creates one media item, once.',
  'Repr-Digest':
    'SHA-256 of the file, compared with the bytes received (RFC 9530): `sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:`.',
  'If-Match': 'Entity tag that the record or file must have, else 412.',
  'If-None-Match': 'Entity tag of the copy that the client has: 304 if it is still current.',
  'If-Modified-Since': '`Last-Modified` of the copy that the client has; ignored with `If-None-Match`.',
  'If-Unmodified-Since': '`Last-Modified` that the file must have, else 412; ignored with `If-Match`.',
  Range: 'The part of the file to send, such as `bytes=0-999`; GET only.',
  'If-Range':
    'Entity tag or `Last-Modified` of the file that the part belongs to; if it differs, the whole file is sent.',
  'X-Cld-Timestamp': 'Required: seconds since the epoch.',
  'X-Cld-Signature': 'Required: signature over the body, the timestamp and the API secret.',
} as const;

/** Response headers that some answers carry; X-Request-Id is on all of them. */
export const responseHeaders = {
  Location: 'Path of the record, or the new address of a file that was moved.',
  ETag: 'Entity tag of the record, file or page.',
  'Last-Modified': 'When the file was stored.',
  'Accept-Ranges': 'Ranges are supported.',
  'Content-Range': 'The part of the file that is sent, and the size of the whole file.',
  'WWW-Authenticate': 'The credentials that would be accepted.',
  'Preference-Applied': 'The request waited, as preferred.',
  'Idempotent-Replayed': '`true` when an earlier request with this key got this answer.',
  RateLimit:
    'Writes left for this client (`r`) in the next `t` seconds: `"writes"; r=59; t=60`. Sent if `RATE_LIMIT_PER_MINUTE` is set.',
  'RateLimit-Policy': 'Writes allowed for each client (`q`) in `w` seconds: `"writes"; q=60; w=60; pk=:…:`.',
  'Retry-After': 'Seconds to wait before trying again.',
  'X-Report-Cut': '`cut` of the report.',
  'X-Run-Id': '`runId` of the report.',
  'X-Request-Id': 'The id that the client sent, if it is well-formed; otherwise a new one.',
} as const;

export type RequestHeader = keyof typeof requestHeaders;
export type ResponseHeader = keyof typeof responseHeaders;
