import type { RequestHandler } from 'express';

/** A body that nobody wanted is thrown away for this long, so that the client, which may read only after writing, gets its answer. */
const DISCARD_FOR_MS = 5_000;
/** Beyond so many at once the connection is cut instead. */
const MAX_DISCARDING = 256;

/**
 * Answers given before the body was read: Node throws the rest of the body away; this bounds for how long
 * (cutting at once would lose answers: a client that still writes reads a broken pipe).
 */
export function boundEarlyAnswers(): RequestHandler {
  let discarding = 0;
  return (req, res, next) => {
    res.once('finish', () => {
      if (req.complete || req.destroyed) return;
      const { socket } = req;
      if (discarding >= MAX_DISCARDING) {
        socket.destroySoon();
        return;
      }
      discarding += 1;
      const timer = setTimeout(() => socket.destroy(), DISCARD_FOR_MS);
      const done = (): void => {
        clearTimeout(timer);
        req.off('end', done);
        socket.off('close', done);
        discarding -= 1;
      };
      req.once('end', done);
      socket.once('close', done);
    });
    next();
  };
}
