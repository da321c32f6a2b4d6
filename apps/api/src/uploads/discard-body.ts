import type { IncomingMessage, ServerResponse } from 'node:http';

const AT_MOST_BYTES = 1_000_000;
const AT_MOST_MS = 5_000;

/**
 * After an early answer: reads on for a moment, so that a client which is still writing gets to read the answer instead
 * of a broken pipe, then ends the connection. A body that is complete, or ends within the bounds, keeps it open.
 */
export function discardBody(req: IncomingMessage, res: ServerResponse): void {
  if (req.complete || req.destroyed) return;
  const { socket } = req;
  const start = socket.bytesRead;
  let answeredAt: number | undefined;
  const end = (): void => {
    clearInterval(timer);
    req.off('close', end);
  };
  const timer = setInterval(() => {
    if (req.complete) {
      end();
      return;
    }
    if (!res.writableFinished) return;
    answeredAt ??= performance.now();
    if (performance.now() - answeredAt < AT_MOST_MS && socket.bytesRead - start < AT_MOST_BYTES) return;
    end();
    socket.destroy();
  }, 50);
  timer.unref();
  req.once('close', end);
  req.unpipe();
  req.resume();
}
