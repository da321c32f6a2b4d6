/**
 * How a job ends. Returning is done; any other error is tried again by the job's own policy; these two are the rest.
 * The worker's settle-job.ts is the only place that knows how BullMQ spells them.
 */

/** Not worth another try: the job fails at once. */
export class GiveUp extends Error {
  override readonly name = 'GiveUp';
}

/** Try later, through no fault of the job: the attempt is not counted. */
export class HandBack extends Error {
  override readonly name = 'HandBack';
  readonly delayMs: number;

  constructor(reason: string, delayMs = 0, cause?: unknown) {
    super(reason, { cause });
    this.delayMs = delayMs;
  }
}
