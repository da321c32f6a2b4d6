import type { Response } from 'express';

/** Aborts when the client has gone before its answer, also when that was before anybody asked. */
export function goneWith(res: Response): AbortSignal {
  const gone = new AbortController();
  const onClose = (): void => {
    if (!res.writableEnded) gone.abort();
  };
  if (res.closed) onClose();
  else res.once('close', onClose);
  return gone.signal;
}
