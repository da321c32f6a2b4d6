import type { HeldClaim } from '@holdfast/shared/idempotency';
import { newMediaId, timeOfId, type CarriedFields } from '@holdfast/shared/media';
import type { AssetRef } from '@holdfast/shared/media-host';
import { firstFields } from '../media/first-fields.js';
import type { OpenedIntent } from './opened-ahead.js';

/** One upload under way: what identifies it, and how far the host has come to know of it. */
export interface UploadAttempt {
  readonly id: string;
  readonly startedAt: Date;
  readonly uploadedBy: string;
  /** Of an upload with an Idempotency-Key. */
  readonly claim: HeldClaim | null;
  /** Aborted with the reason when the client is gone or too slow, the sweep gave up, or anything failed. */
  readonly cancel: AbortController;
  /** Seconds after which an asset without the commit mark may be removed, counted from its upload. */
  readonly deadlineSeconds: number;
  filename: string;
  /** Known once the kind of the file is. */
  ref: AssetRef | null;
  /** True from the moment the host may have something under `ref`. */
  sent: boolean;
  /** True from the moment Redis may accept it. */
  acceptanceAsked: boolean;
  /** The running transfer of a large body. */
  transfer: Promise<unknown> | null;
}

/** All tries of one claim have the same id, and with it the same time. `opened`: an intent that is open already. */
export function newAttempt(
  uploadedBy: string,
  deadlineSeconds: number,
  claim: HeldClaim | null,
  opened: OpenedIntent | null = null,
): UploadAttempt {
  const id = claim?.id ?? opened?.id ?? newMediaId();
  return {
    id,
    startedAt: new Date(opened === null ? timeOfId(id) : Date.now()),
    uploadedBy,
    claim,
    cancel: new AbortController(),
    deadlineSeconds,
    filename: '',
    ref: null,
    sent: false,
    acceptanceAsked: false,
    transfer: null,
  };
}

/** What the asset carries before its file and fields are known in full. */
export function fieldsAtStart(attempt: UploadAttempt): CarriedFields {
  const { id, filename, uploadedBy, startedAt } = attempt;
  return firstFields({ id, filename, uploadedBy, source: 'upload' }, startedAt);
}
