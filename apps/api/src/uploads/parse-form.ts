import type { IncomingMessage } from 'node:http';
import type { Readable, Writable } from 'node:stream';
import type { Request, Response } from 'express';
import multer, { MulterError, type StorageEngine } from 'multer';
import { HoldfastError, type ErrorCode } from '@holdfast/shared/errors';
import { refuseLosses, type PartEvents } from './refuse-losses.js';

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

// Without a limit of files: browsers send an empty one for each file input that nobody filled in. More than one that is not
// empty is refused all the same, by `single`.
const limits = {
  fields: 100,
  parts: 102,
  // Parts with other names are not ours to judge: forms of other programs nest them, and give long ones.
  fieldNameSize: 500,
  fieldSize: 64_000,
  headerPairs: 20,
  fieldNestingDepth: 20,
  fieldArrayIndexLimit: 50,
};

const codeOf: Partial<Record<string, ErrorCode>> = {
  LIMIT_UNEXPECTED_FILE: 'FILE_MISSING',
  LIMIT_FIELD_VALUE: 'INVALID_REQUEST',
  LIMIT_FIELD_COUNT: 'INVALID_REQUEST',
  LIMIT_PART_COUNT: 'INVALID_REQUEST',
};

/** multer has the option, its types do not. */
type FormOptions = multer.Options & { streamHandler: (req: Request, parser: Writable & PartEvents) => void };

type Receive = (file: IncomingFile) => Promise<void>;

/** An engine for one request: a map from requests to receivers would keep their bodies from the collector. */
function engineOf(receive: Receive): StorageEngine {
  return {
    _handleFile: (_req, file, callback) => {
      // multer's engines speak callbacks.
      receive({ stream: file.stream, filename: file.originalname }).then(
        // oxlint-disable-next-line promise/no-callback-in-promise -- multer speaks callbacks
        () => callback(null, {}),
        // oxlint-disable-next-line promise/no-callback-in-promise -- multer speaks callbacks
        (error: unknown) => callback(error),
      );
    },
    // What was received is undone by whoever asked for it, in one place, also when no file was complete.
    _removeFile: (_req, _file, callback) => callback(null),
  };
}

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
    const engine = engineOf(async (file) => {
      begun = true;
      try {
        received = { file: await receive(file) };
      } catch (error) {
        // multer would wait for the end of the body before it tells.
        reject(error instanceof HoldfastError ? error : unreadable(req, error, begun));
        throw error;
      }
    });
    req.once('aborted', () => reject(new HoldfastError('CLIENT_ABORTED')));
    const parsed: (error?: unknown) => void = (error) => {
      if (error !== undefined && error !== null)
        reject(error instanceof HoldfastError ? error : unreadable(req, error, begun));
      // multer passes over a content type that it cannot read, and the body with it.
      else if (req.body === undefined)
        reject(new HoldfastError('MALFORMED_BODY', 'the content type cannot be read'));
      else if (received === undefined)
        reject(new HoldfastError('FILE_MISSING', 'the form needs one part named "file" with a file name'));
      else resolve({ fields: { ...(req.body as Record<string, unknown> | undefined) }, file: received.file });
    };
    const options: FormOptions = {
      storage: engine,
      limits,
      defParamCharset: 'utf8',
      streamHandler: (_req, parser) => {
        refuseLosses(req, parser, reject);
        req.pipe(parser);
      },
    };
    multer(options).single('file')(req, res, parsed);
  });
}

function unreadable(req: IncomingMessage, error: unknown, begun: boolean): HoldfastError {
  if (req.destroyed && !req.complete) return new HoldfastError('CLIENT_ABORTED', undefined, { cause: error });
  if (error instanceof MulterError) {
    const second = begun && error.code === 'LIMIT_UNEXPECTED_FILE';
    const code = second ? 'TOO_MANY_FILES' : (codeOf[error.code] ?? 'MALFORMED_BODY');
    const where = error.field === undefined ? '' : ` (${JSON.stringify(error.field.slice(0, 100))})`;
    return new HoldfastError(code, `${error.message}${where}`, { cause: error });
  }
  return new HoldfastError('MALFORMED_BODY', undefined, { cause: error });
}
