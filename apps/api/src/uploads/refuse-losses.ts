import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { HoldfastError } from '@holdfast/shared/errors';
import { readLately } from './read-lately.js';

/** What the parser below multer tells of a form. */
export interface PartEvents {
  on(event: 'file', listener: (name: string, stream: Readable, info: { filename?: string }) => void): unknown;
  on(
    event: 'field',
    listener: (name: string, value: string | undefined, info: { valueTruncated: boolean }) => void,
  ): unknown;
}

/** What the decoder puts where bytes are no text. */
const REPLACEMENT = '\ufffd';

/** multer keeps the text parts of a form in memory until it ends. */
const MAX_TEXT_LENGTH = 256 * 1024;

/**
 * What multer and its parser would lose or replace without a word: the bytes of a part that calls itself a file and has no
 * file name, text in a charset that the parser does not know, text and file names that are not in UTF-8. A nameless file that is
 * empty is no loss: browsers send one for an input that nobody filled in. And more text than one request may keep in memory.
 */
export function refuseLosses(
  req: IncomingMessage,
  parser: PartEvents,
  refuse: (error: HoldfastError) => void,
): void {
  const lately = readLately(req);
  let textLength = 0;
  parser.on('file', (name, stream, { filename = '' }) => {
    if (filename === '') {
      const detail = `the part ${JSON.stringify(name)} is a file without a file name`;
      stream.once('data', () => refuse(new HoldfastError('FILE_MISSING', detail)));
    } else if (filename.includes(REPLACEMENT) && !lately.includes(filename.replaceAll('"', '\\"')))
      refuse(unreadable('filename', 'must be in UTF-8'));
  });
  parser.on('field', (name, value, { valueTruncated }) => {
    textLength += value?.length ?? 0;
    if (textLength > MAX_TEXT_LENGTH) refuse(unreadable(name, 'makes the text parts too large together'));
    if (value === undefined) refuse(unreadable(name, 'is in a charset that is not known here'));
    else if (value.includes(REPLACEMENT) && !valueTruncated && !lately.includes(`\r\n\r\n${value}\r\n--`))
      refuse(unreadable(name, 'must be in UTF-8'));
  });
}

function unreadable(path: string, message: string): HoldfastError {
  return new HoldfastError('INVALID_REQUEST', 'the text parts are not valid', {
    errors: [{ path, message }],
  });
}
