import type { Claims } from '@holdfast/shared/idempotency';
import type { Logger } from '@holdfast/shared/logging';
import type { MediaRecord } from '@holdfast/shared/media';
import { ownerOf } from './claim-owner.js';
import type { Beating } from './heartbeat.js';
import type { Undoing } from './undo-upload.js';
import type { UploadAttempt } from './upload-attempt.js';

/** The answer is a media that was there before: the new copy goes, and the key remembers that answer. */
export async function settleDuplicate(
  { claims, undoing, log }: { claims: Claims; undoing: Undoing; log: Logger },
  { id, claim, sent, ref }: UploadAttempt,
  existing: MediaRecord,
  print: string,
  beating: Beating,
): Promise<void> {
  const owner = claim === null ? {} : { owner: ownerOf(claims, claim, beating, 'go on') };
  await undoing.undo({
    id,
    ref: sent ? ref : null,
    unsettled: false,
    acceptanceAsked: false,
    claimKey: null,
    ...owner,
  });
  if (claim === null) return;
  // A key that could not remember it finds the same duplicate again.
  await claims
    .finish(claim, { id: existing.id, print, duplicate: true })
    .catch((error: unknown) => log.warn('upload.duplicate_not_remembered', { id: existing.id, error }));
}
