import type { IncomingMessage } from 'node:http';
import { HoldfastError } from '@holdfast/shared/errors';
import { watchPace } from './body-pace.js';

/** Tells when the client of an upload is gone or too slow, its slot is given up, or the process ends. Returns what ends the watch. */
export function watchClient(
  req: IncomingMessage,
  { cut, givenUp }: { cut: AbortSignal; givenUp: AbortSignal },
  giveUp: (reason: HoldfastError) => void,
): () => void {
  const endPace = watchPace(req, giveUp);
  const onCut = (): void => giveUp(new HoldfastError('SHUTTING_DOWN'));
  const onGivenUp = (): void => giveUp(givenUp.reason as HoldfastError);
  const onAborted = (): void => giveUp(new HoldfastError('CLIENT_ABORTED'));
  cut.addEventListener('abort', onCut, { once: true });
  givenUp.addEventListener('abort', onGivenUp, { once: true });
  if (givenUp.aborted) onGivenUp();
  req.once('aborted', onAborted);
  // Before an upload was admitted nobody listened, and what is aborted does not say so again.
  if (req.destroyed && !req.readableEnded) onAborted();
  return () => {
    endPace();
    cut.removeEventListener('abort', onCut);
    givenUp.removeEventListener('abort', onGivenUp);
    req.off('aborted', onAborted);
  };
}
