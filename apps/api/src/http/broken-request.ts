import { randomUUID } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { HoldfastError, PROBLEM_TYPE, problemOf, type ErrorCode } from '@holdfast/shared/errors';

/** What Node could not read as a request, by its error code; anything else from the parser is a malformed request. */
const codes: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  HPE_HEADER_OVERFLOW: ['HEADERS_TOO_LARGE', 'the headers are larger than 16 kB'],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: ['BODY_TOO_LARGE', 'the chunk extensions are too large'],
  ERR_HTTP_REQUEST_TIMEOUT: ['REQUEST_TIMEOUT', 'the request took too long to arrive'],
};
const NO_REQUEST = ['INVALID_REQUEST', 'this is not an HTTP/1.1 request'] as const;

/** A body that Node could not read to its end: the request itself was one, and has an id. */
export interface BrokenBody {
  requestId: string;
}

/** The whole answer, as text: a response object is not there, or must not be used any more. */
function brokenRequestAnswer(errorCode: string | undefined, broken: BrokenBody | null): string | null {
  const known = codes[errorCode ?? ''];
  if (known === undefined && errorCode?.startsWith('HPE_') !== true) return null;
  const [code, detail] = known ?? (broken === null ? NO_REQUEST : brokenBody(errorCode));
  const requestId = broken?.requestId ?? randomUUID();
  const problem = problemOf(new HoldfastError(code, detail), requestId);
  const body = JSON.stringify(problem);
  return [
    `HTTP/1.1 ${String(problem.status)} ${problem.title}`,
    `Content-Type: ${PROBLEM_TYPE}`,
    `Content-Length: ${String(Buffer.byteLength(body))}`,
    `X-Request-Id: ${requestId}`,
    'Connection: close',
    '',
    body,
  ].join('\r\n');
}

function brokenBody(errorCode: string | undefined): readonly [ErrorCode, string] {
  const ended = errorCode === 'HPE_INVALID_EOF_STATE';
  return ['MALFORMED_BODY', ended ? 'the body ended before it was complete' : 'the body cannot be read'];
}

/** Answers where the connection can still carry an answer, then ends it. `broken`: null where no request was under way. */
export function answerBrokenRequest(
  error: Error & { code?: string },
  socket: Duplex,
  broken: BrokenBody | null,
): void {
  const answer = socket.writable ? brokenRequestAnswer(error.code, broken) : null;
  if (answer === null) socket.destroy();
  else socket.end(answer);
}
