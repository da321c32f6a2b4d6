import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import busboy from 'busboy';
import { ApiError } from '../api-error.js';
import { addField, type Fields } from './fields.js';

/** A form whose fields before the file are known while its file has not been read yet. */
export interface OpenForm {
  fields: Fields;
  /** The file part, unread; null when the form had none. It must be read or drained. */
  file: { stream: Readable; filename: string } | null;
  /** Resolves when the whole body has been read; fields behind the file are then in `fields` too. */
  finished: Promise<void>;
}

const MAX_FIELD_BYTES = 100_000_000;

/**
 * Reads a multipart form up to its file, so that the caller can refuse it before taking any of the bytes.
 * Rejects with 400 for a malformed body, and when the client goes away.
 */
export function receiveForm(req: IncomingMessage): Promise<OpenForm> {
  return new Promise((resolve, reject) => {
    const fields: Fields = {};
    const fail = (message: string) => reject(new ApiError(400, message));
    let parser: busboy.Busboy;
    try {
      parser = busboy({
        headers: req.headers,
        defParamCharset: 'utf8',
        limits: { fieldSize: MAX_FIELD_BYTES },
      });
    } catch {
      fail('Missing or invalid Content-Type');
      return;
    }
    const finished = new Promise<void>((done, broken) => {
      parser.once('close', done);
      // Not once: a parser may fail again while it is torn down, and there is no other listener.
      parser.on('error', () => broken(new ApiError(400, 'Malformed multipart body')));
      req.once('close', () => {
        if (req.complete) return;
        broken(new ApiError(400, 'The client went away'));
        parser.destroy();
      });
    });
    finished.catch(reject);
    parser.on('field', (name, value) => {
      try {
        addField(fields, name, value);
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        reject(error);
      }
    });
    parser.on('file', (name, stream, { filename }) => {
      // busboy destroys the stream with an error when the body breaks, and its reader gets that error.
      stream.on('error', () => undefined);
      if (name === 'file') resolve({ fields, file: { stream, filename: filename ?? 'file' }, finished });
      else stream.resume();
    });
    finished.then(
      () => resolve({ fields, file: null, finished }),
      () => undefined,
    );
    req.pipe(parser);
  });
}
