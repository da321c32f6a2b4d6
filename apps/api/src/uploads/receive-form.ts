import type { Request, Response } from 'express';
import { HoldfastError } from '@holdfast/shared/errors';
import { failpoint } from '@holdfast/shared/failpoint';
import type { Intents } from '@holdfast/shared/intents';
import { writeHostMetadata } from '@holdfast/shared/media';
import type { AssetRef, MediaHost } from '@holdfast/shared/media-host';
import { cleanFilename } from '../media/filename.js';
import { refFor } from '../media/ref-for.js';
import type { Admitted } from './admission.js';
import type { FileKind } from './file-kind.js';
import { parseForm, type ParsedForm } from './upload-form.js';
import { receiveFile, type ReceivedFile, type ReceiveOptions } from './receive-file.js';
import { fieldsAtStart, type UploadAttempt } from './upload-attempt.js';

export interface FormDependencies {
  host: Pick<MediaHost, 'put'>;
  intents: Pick<Intents, 'describe'>;
  folder: string;
  allowedTypes: readonly string[];
}

/** Reads the form; a large file is on the host, not yet committed, when this resolves. */
export function receiveForm(
  deps: FormDependencies,
  req: Request,
  res: Response,
  admitted: Admitted,
  attempt: UploadAttempt,
): Promise<ParsedForm<ReceivedFile>> {
  const { host, allowedTypes } = deps;
  const transfer: ReceiveOptions['transfer'] = async (kind, body) => {
    const ref = await announce(deps, attempt, kind);
    attempt.sent = true;
    const metadata = writeHostMetadata({
      mark: { state: 'started', deadlineSeconds: attempt.deadlineSeconds },
      fields: fieldsAtStart(attempt),
    });
    const length = admitted.lengthAtMost;
    const put = host.put({
      ref,
      metadata,
      body,
      signal: attempt.cancel.signal,
      ...(length === undefined ? {} : { contentLength: length }),
    });
    attempt.transfer = put;
    failpoint('upload.bytes-begun');
    const stored = await put;
    failpoint('upload.bytes-stored');
    return stored;
  };
  return parseForm(req, res, (incoming) => {
    attempt.filename = cleanFilename(incoming.filename);
    return receiveFile(incoming.stream, { maxBytes: admitted.maxBytes, allowedTypes, transfer });
  });
}

/**
 * Where the asset will be. The intent knows the public id of all but raw files from the start, theirs depends on the kind;
 * and that of a try that took over may be the one of its predecessor.
 */
export async function announce(
  { intents, folder }: Pick<FormDependencies, 'intents' | 'folder'>,
  attempt: UploadAttempt,
  kind: FileKind,
): Promise<AssetRef> {
  attempt.ref ??= refFor(folder, attempt.id, kind);
  const { resourceType, publicId } = attempt.ref;
  const isKnown = resourceType !== 'raw' && attempt.claim?.takenOver !== true;
  if (!isKnown && (await intents.describe(attempt.id, publicId)) === 'dead')
    throw new HoldfastError('UPLOAD_EXPIRED');
  return attempt.ref;
}
