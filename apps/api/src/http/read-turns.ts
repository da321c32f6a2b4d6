import type { EventLoopUtilization } from 'node:perf_hooks';
import { HoldfastError } from '@holdfast/foundation/errors';

/** Reads of one client at the same time. */
const AT_ONCE = 8;
/** Reads of one client that wait for their turn. */
const MOST_WAITING = 1_000;
const LONGEST_REST_MS = 100;

/**
 * The share of reads in the work of this process. Each client has a few reads at a time. Where the process has no time left and others
 * need it, a client has one read at a time, and rests as long afterwards as that took: one that reads without a pause slows itself
 * down, and leaves at least half of the time to others.
 */
export interface ReadTurns {
  /**
   * Resolves with the function that ends the turn. Rejects with OVERLOADED where too many reads of this client wait, or with
   * CLIENT_ABORTED once `gone` aborts.
   */
  take(client: string, gone: AbortSignal): Promise<() => void>;
}

interface Line {
  running: number;
  isResting: boolean;
  waiting: Set<() => void>;
}

/** `hasOtherWork`: whether something runs that is no read. */
export function createReadTurns(hasOtherWork: () => boolean, isSaturated = watchSaturation()): ReadTurns {
  const lines = new Map<string, Line>();

  const isContested = (): boolean => (hasOtherWork() || lines.size > 1) && isSaturated();
  const isFree = ({ running, isResting }: Line): boolean =>
    !isResting && (running === 0 || (running < AT_ONCE && !isContested()));

  const startNext = (client: string, line: Line): void => {
    for (const start of line.waiting) {
      if (!isFree(line)) return;
      line.waiting.delete(start);
      start();
    }
    if (line.running === 0 && !line.isResting) lines.delete(client);
  };

  const rest = (client: string, line: Line, ms: number): void => {
    line.isResting = true;
    setTimeout(() => {
      line.isResting = false;
      startNext(client, line);
    }, ms).unref();
  };

  const begin = (client: string, line: Line): (() => void) => {
    line.running += 1;
    const beganAt = performance.now();
    return () => {
      line.running -= 1;
      if (!line.isResting && isContested())
        rest(client, line, Math.min(performance.now() - beganAt, LONGEST_REST_MS));
      startNext(client, line);
    };
  };

  return {
    take: async (client, gone) => {
      const line = lines.get(client) ?? { running: 0, isResting: false, waiting: new Set() };
      lines.set(client, line);
      if (isFree(line)) return begin(client, line);
      if (line.waiting.size >= MOST_WAITING)
        throw new HoldfastError('OVERLOADED', 'too many reads of this client at once');
      return new Promise((resolve, reject) => {
        const leave = (): void => {
          line.waiting.delete(start);
          reject(new HoldfastError('CLIENT_ABORTED'));
        };
        const start = (): void => {
          gone.removeEventListener('abort', leave);
          resolve(begin(client, line));
        };
        line.waiting.add(start);
        gone.addEventListener('abort', leave, { once: true });
      });
    },
  };
}

const WINDOW_MS = 50;
const SATURATED = 0.9;

/** Whether the event loop of this process had hardly a moment to spare lately. */
function watchSaturation(): () => boolean {
  let before: EventLoopUtilization = performance.eventLoopUtilization();
  let lookedAt = performance.now();
  let saturated = false;
  return () => {
    const now = performance.now();
    if (now - lookedAt < WINDOW_MS) return saturated;
    const after = performance.eventLoopUtilization();
    saturated = performance.eventLoopUtilization(after, before).utilization >= SATURATED;
    before = after;
    lookedAt = now;
    return saturated;
  };
}
