import { randomUUID } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { HoldfastError, type ErrorCode } from '@holdfast/shared/errors';
import { PROBLEM_TYPE, problemOf } from './problem.js';

/** What Node could not read as a request, by its error code; anything else from the parser is a malformed request. */
const codes: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  HPE_HEADER_OVERFLOW: ['HEADERS_TOO_LARGE', 'the headers are larger than 16 kB'],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: ['BODY_TOO_LARGE', 'the chunk extensions are too large'],
  ERR_HTTP_REQUEST_TIMEOUT: ['REQUEST_TIMEOUT', 'the request took too long to arrive'],
};

/** The whole answer, as text: there is no response object for something that never became a request. */
function brokenRequestAnswer(errorCode: string | undefined): string | null {
  const known = codes[errorCode ?? ''];
  if (known === undefined && errorCode?.startsWith('HPE_') !== true) return null;
  const [code, detail] = known ?? ['INVALID_REQUEST', 'this is not an HTTP/1.1 request'];
  const requestId = randomUUID();
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

/** Answers where the connection can still carry an answer, then ends it. */
export function answerBrokenRequest(
  error: Error & { code?: string },
  socket: Duplex,
  answering: boolean,
): void {
  const answer = socket.writable && !answering ? brokenRequestAnswer(error.code) : null;
  if (answer === null) socket.destroy();
  else socket.end(answer);
}
