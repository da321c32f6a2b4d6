import type { Request, Response } from 'express';
import { untilAborted } from '@holdfast/shared/lifecycle';
import { inviteBody } from '../http/expect-continue.js';
import type { Shutdown } from '../http/shutdown.js';
import { cleanFilename } from '../media/filename.js';
import { parseMediaFields } from '../media/media-fields.js';
import type { Admission } from './admission.js';
import { digestFile } from './receive-file.js';
import { parseForm } from './upload-form.js';
import type { SentUpload } from './request-print.js';
import { watchClient } from './watch-client.js';

export interface DiscardDependencies {
  admission: Admission;
  shutdown: Pick<Shutdown, 'cut'>;
}

/** Reads an upload to its end and keeps only what tells it from others. Throws what any upload throws for a bad body. */
export async function readAndDiscard(
  { admission, shutdown }: DiscardDependencies,
  req: Request,
  res: Response,
): Promise<SentUpload> {
  const admitted = await admission.admit(req, false);
  const cancel = new AbortController();
  const endWatch = watchClient(req, { cut: shutdown.cut, givenUp: admitted.givenUp }, (reason) =>
    cancel.abort(reason),
  );
  try {
    cancel.signal.throwIfAborted();
    inviteBody(req, res);
    const form = parseForm(req, res, async ({ stream, filename }) => ({
      filename: cleanFilename(filename),
      ...(await digestFile(stream, admitted.maxBytes)),
    }));
    const { file, fields } = await untilAborted(form, cancel.signal);
    return { ...file, fields: parseMediaFields(fields) };
  } finally {
    endWatch();
    admitted.leave();
  }
}
