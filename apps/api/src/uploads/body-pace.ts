import type { IncomingMessage } from 'node:http';
import { HoldfastError } from '@holdfast/shared/errors';
import { SLOWEST_BYTES_PER_SECOND } from '@holdfast/shared/media';

const CHECK_MS = 2_500;
const SILENT_MS = 15_000;
const START_MS = 60_000;

/**
 * Cuts off clients that stop sending, or send so slowly that the upload would never end. Time in which we ourselves do
 * not read, because the host is slower than the client, does not count as silence. Returns a function that ends the watch.
 */
export function watchPace(req: IncomingMessage, cut: (reason: HoldfastError) => void): () => void {
  const { socket } = req;
  const startedAt = performance.now();
  const bytesAtStart = socket.bytesRead;
  let lastBytes = bytesAtStart;
  let movedAt = startedAt;
  const timer = setInterval(() => {
    if (req.complete) return;
    const now = performance.now();
    // Bytes of a request that is gone wait for nobody.
    const hostIsBusy = req.readableLength > 0 && !req.destroyed;
    if (socket.bytesRead !== lastBytes || hostIsBusy) {
      lastBytes = socket.bytesRead;
      movedAt = now;
    }
    const allowedMs = START_MS + ((lastBytes - bytesAtStart) / SLOWEST_BYTES_PER_SECOND) * 1_000;
    if (now - movedAt >= SILENT_MS || (!hostIsBusy && now - startedAt > allowedMs))
      cut(new HoldfastError('REQUEST_TIMEOUT'));
  }, CHECK_MS);
  timer.unref();
  return () => clearInterval(timer);
}
