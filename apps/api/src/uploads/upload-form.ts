import type { IncomingMessage } from 'node:http';
import type { Readable, Writable } from 'node:stream';
import type { Request, Response } from 'express';
import multer, { MulterError, type StorageEngine } from 'multer';
import { HoldfastError, type ErrorCode } from '@holdfast/foundation/errors';

/** One file of a form as it comes in: its bytes and the name the client gave it. */
export interface IncomingFile {
  stream: Readable;
  filename: string;
}

export interface ParsedForm<T> {
  /** The text parts, whether they came before or after the file. Values are strings, or arrays where a name was repeated. */
  fields: Record<string, unknown>;
  file: T;
}

// The number of files is not limited: browsers send an empty one for each file input that was left empty. `single` refuses a
// second one that is not empty.
const limits = {
  fields: 100,
  parts: 102,
  // Parts with other names are ignored. Forms of other programs nest them, and give them long names.
  fieldNameSize: 500,
  fieldSize: 64_000,
  headerPairs: 20,
  fieldNestingDepth: 20,
  fieldArrayIndexLimit: 50,
};

/** multer keeps the text parts of a form in memory until the form ends. */
const MAX_TEXT_LENGTH = 256 * 1024;

const codeOf: Partial<Record<string, ErrorCode>> = {
  LIMIT_UNEXPECTED_FILE: 'FILE_MISSING',
  LIMIT_FIELD_VALUE: 'INVALID_REQUEST',
  LIMIT_FIELD_COUNT: 'INVALID_REQUEST',
  LIMIT_PART_COUNT: 'INVALID_REQUEST',
};

/**
 * Reads a multipart form with one part `file`, handing its bytes to `receive` as they come. Rejects as soon as something
 * is wrong, while the rest of the body is still unread: MALFORMED_BODY, FILE_MISSING, TOO_MANY_FILES, INVALID_REQUEST,
 * CLIENT_ABORTED, or the error of `receive`.
 */
export function parseForm<T>(
  req: Request,
  res: Response,
  receive: (file: IncomingFile) => Promise<T>,
): Promise<ParsedForm<T>> {
  return new Promise((resolve, reject) => {
    let received: { file: T } | undefined;
    let begun = false;
    const fail = (error: unknown): void =>
      reject(error instanceof HoldfastError ? error : unreadable(req, error, begun));
    const receiveOne = async (file: IncomingFile): Promise<void> => {
      begun = true;
      try {
        received = { file: await receive(file) };
      } catch (error) {
        // multer itself reports it only at the end of the body.
        fail(error);
        throw error;
      }
    };
    const options: FormOptions = {
      storage: storageFor(receiveOne),
      limits,
      defParamCharset: 'utf8',
      streamHandler: (_req, parser) => {
        rejectLosses(parser, reject);
        req.pipe(parser);
      },
    };
    req.once('aborted', () => reject(new HoldfastError('CLIENT_ABORTED')));
    multer(options).single('file')(req, res, (error?: unknown) => {
      if (error !== undefined && error !== null) fail(error);
      else if (received === undefined)
        reject(new HoldfastError('FILE_MISSING', 'the form needs one part named "file" with a file name'));
      else resolve({ fields: { ...(req.body as Record<string, unknown> | undefined) }, file: received.file });
    });
  });
}

/** A storage engine that stores nothing: `receive` consumes the bytes, and its caller undoes what a failure leaves. */
function storageFor(receive: (file: IncomingFile) => Promise<void>): StorageEngine {
  return {
    _handleFile: (_req, file, callback) => {
      receive({ stream: file.stream, filename: file.originalname }).then(
        // oxlint-disable-next-line promise/no-callback-in-promise -- multer speaks callbacks
        () => callback(null, {}),
        // oxlint-disable-next-line promise/no-callback-in-promise -- multer speaks callbacks
        (error: unknown) => callback(error),
      );
    },
    _removeFile: (_req, _file, callback) => callback(null),
  };
}

/** multer has the option, its types do not. */
type FormOptions = multer.Options & { streamHandler: (req: Request, parser: Writable & PartEvents) => void };

/** Events of busboy, the parser below multer. */
interface PartEvents {
  on(event: 'file', listener: (name: string, stream: Readable, info: { filename?: string }) => void): unknown;
  on(event: 'field', listener: (name: string, value: string | undefined) => void): unknown;
}

/**
 * Rejects what multer would drop or replace in silence: the bytes of a file part without a name, text in an unsupported
 * charset, text that is not in UTF-8. Where bytes are no text the decoder puts U+FFFD, so a part that contains that
 * character is refused. A file name may contain it: it is only a label.
 */
function rejectLosses(parser: PartEvents, reject: (error: HoldfastError) => void): void {
  const refuse = (path: string, message: string): void =>
    reject(
      new HoldfastError('INVALID_REQUEST', 'the text parts are not valid', { errors: [{ path, message }] }),
    );
  let textLength = 0;
  parser.on('file', (name, stream, { filename = '' }) => {
    if (filename !== '') return;
    const detail = `the part ${JSON.stringify(name)} is a file without a file name`;
    // Browsers send an empty one for a file input that was left empty.
    stream.once('data', () => reject(new HoldfastError('FILE_MISSING', detail)));
  });
  parser.on('field', (name, value) => {
    textLength += value?.length ?? 0;
    if (textLength > MAX_TEXT_LENGTH) refuse(name, 'makes the text parts too large together');
    if (value === undefined) refuse(name, 'is in an unsupported charset');
    else if (value.includes('\ufffd')) refuse(name, 'must be in UTF-8, without U+FFFD');
  });
}

function unreadable(req: IncomingMessage, error: unknown, begun: boolean): HoldfastError {
  if (req.destroyed && !req.complete) return new HoldfastError('CLIENT_ABORTED', undefined, { cause: error });
  if (error instanceof MulterError) {
    const second = begun && error.code === 'LIMIT_UNEXPECTED_FILE';
    const code = second ? 'TOO_MANY_FILES' : (codeOf[error.code] ?? 'MALFORMED_BODY');
    const name = error.field === undefined ? '' : JSON.stringify(error.field.slice(0, 100));
    if (code === 'FILE_MISSING')
      return new HoldfastError(code, `the file was sent as ${name}: name that part "file"`, { cause: error });
    const where = name === '' ? '' : ` (${name})`;
    return new HoldfastError(code, `${error.message}${where}`, { cause: error });
  }
  return new HoldfastError('MALFORMED_BODY', undefined, { cause: error });
}
