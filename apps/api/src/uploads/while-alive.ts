import type { IncomingMessage } from 'node:http';
import { isHoldfastError, type HoldfastError } from '@holdfast/shared/errors';
import type { Claims } from '@holdfast/shared/idempotency';
import { withinMs } from '@holdfast/shared/lifecycle';
import type { Shutdown } from '../http/shutdown.js';
import { ownerOf } from './claim-owner.js';
import type { Beating, Heartbeat } from './heartbeat.js';
import type { Undoing } from './undo-upload.js';
import type { UploadAttempt } from './upload-attempt.js';
import { watchClient } from './watch-client.js';

export interface AliveDependencies {
  heartbeat: Heartbeat;
  claims: Claims;
  undoing: Undoing;
  shutdown: Pick<Shutdown, 'cut'>;
}

/** How long an abandoned transfer may take to let go before its asset is removed. */
const LET_GO_MS = 2_000;

/** Runs the work under a heartbeat, watching the client, and undoes what a failure leaves. `openedAt`: when its intent was. */
export async function whileAlive<T>(
  deps: AliveDependencies,
  req: IncomingMessage,
  attempt: UploadAttempt,
  { openedAt, givenUp }: { openedAt: number; givenUp: AbortSignal },
  work: (beating: Beating) => Promise<T>,
): Promise<T> {
  const { cancel } = attempt;
  const giveUp = (reason: HoldfastError): void => cancel.abort(reason);
  const beating = deps.heartbeat.begin(attempt, openedAt, giveUp);
  const endWatch = watchClient(req, { cut: deps.shutdown.cut, givenUp }, giveUp);
  try {
    cancel.signal.throwIfAborted();
    return await work(beating);
  } catch (error) {
    cancel.abort(error);
    await letGo(attempt);
    await undoAttempt(deps, attempt, beating, error);
    throw error;
  } finally {
    endWatch();
    beating.end();
  }
}

async function undoAttempt(
  { claims, undoing }: AliveDependencies,
  { id, claim, sent, ref, acceptanceAsked }: UploadAttempt,
  beating: Beating,
  error: unknown,
): Promise<void> {
  // What an earlier try may have left under this id is for the next one, or for the sweep, to find.
  if (claim?.takenOver === true && !sent) return;
  const unsettled =
    !isHoldfastError(error) || isHoldfastError(error, 'HOST_TIMEOUT', 'HOST_REJECTED', 'INTERNAL');
  const owner = claim === null ? {} : { owner: ownerOf(claims, claim, beating, 'give up') };
  await undoing.undo({
    id,
    ref: sent ? ref : null,
    unsettled,
    acceptanceAsked,
    claimKey: claim?.key ?? null,
    ...owner,
  });
}

/** A transfer that still runs could store the asset after we removed it. */
async function letGo(attempt: UploadAttempt): Promise<void> {
  if (attempt.transfer === null) return;
  await withinMs(LET_GO_MS, attempt.transfer, undefined).catch(() => undefined);
}
