type Fields = Record<string, unknown>;

const MASK = '[redacted]';
/** Names of fields that may hold a credential. */
const SECRET_NAME = /secret|password|passwd|token|authorization|api[-_]?key|cookie|^auth$|request_options/i;
/** user:password@ in any URL. */
const URL_CREDENTIALS = /\b([a-z][a-z0-9+.-]*:\/\/)[^\s/@]+@/gi;
/** At the end of a truncated text, what may be the start of such credentials: the @ may have been cut off. */
const CUT_CREDENTIALS = /\b([a-z][a-z0-9+.-]*:\/\/)[^\s/@]+$/i;
const MAX_DEPTH = 5;
const MAX_TEXT = 2_000;

/** A copy that is safe to write: secrets masked, errors flattened, no control characters that could forge a line. */
export function redact(fields: Fields): Fields {
  return redactObject(fields, 0);
}

/** Credentials inside URLs masked; used for any text that came from outside. */
export function redactText(text: string): string {
  const isLong = text.length > MAX_TEXT;
  // Truncated before the search, because it may be huge.
  const masked = (isLong ? text.slice(0, MAX_TEXT) : text).replace(URL_CREDENTIALS, `$1${MASK}@`);
  return isLong ? `${masked.replace(CUT_CREDENTIALS, `$1${MASK}`)}…` : masked;
}

function redactObject(fields: object, depth: number): Fields {
  const result: Fields = {};
  for (const [name, value] of Object.entries(fields)) {
    result[name] = SECRET_NAME.test(name) && value !== undefined ? MASK : redactValue(value, depth + 1);
  }
  return result;
}

function redactValue(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return redactText(value);
  if (value instanceof Error) return describeError(value, depth);
  if (typeof value !== 'object' || value === null) return typeof value === 'bigint' ? String(value) : value;
  if (value instanceof Date) return value;
  if (depth >= MAX_DEPTH) return '[…]';
  if (Array.isArray(value)) return value.slice(0, 50).map((entry) => redactValue(entry, depth + 1));
  return redactObject(value, depth);
}

function describeError(error: Error, depth: number): Fields {
  const code = (error as { code?: unknown }).code;
  return {
    name: error.name,
    message: redactText(error.message),
    code: typeof code === 'string' ? code : undefined,
    stack: error.stack && redactText(error.stack),
    cause: depth >= MAX_DEPTH ? undefined : redactValue(error.cause, depth + 1),
  };
}
