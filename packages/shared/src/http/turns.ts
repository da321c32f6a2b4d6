/** Requests that begin in one round of the event loop: what is under way continues between them. */
const BEGIN_AT_ONCE = 8;
/** Requests of a limited line that are served at the same time. */
const SERVED_AT_ONCE = 8;
/** What takes longer waits for something else than this process. */
const LONGEST_TURN_MS = 100;
/** While others need the time: so much work of a line, then a rest so many times as long. */
const WORK_MS = 1;
const REST_FACTOR = 2;
const HELD_BACK_MS = 60_000;

/** Where a request waits: requests of one line begin in the order in which they came, lines take turns. */
export interface Line {
  name: string;
  /** It is held back while others need the time. What is not limited, such as an upload, are those others. */
  isLimited: boolean;
}

class Queue {
  waiting = new Set<() => void>();
  running = 0;
  workedMs = 0;
  isResting = false;
  constructor(readonly line: Line) {}
}

/**
 * The share of each client in the time of this process. Each limited line has a few requests at a time. Where the process has no time
 * left and others need it, it has one at a time and rests twice as long as that took: a client that asks without a pause slows itself
 * down, and leaves two thirds of the time to others.
 */
export function createTurns(isSaturated = watchSaturation()) {
  /** Only those that have something. The first is next. */
  const queues = new Map<string, Queue>();
  const heldBack = new Map<string, NodeJS.Timeout>();
  let begun = 0;
  let unlimited = 0;

  const isContested = (): boolean => (unlimited > 0 || queues.size > 1) && isSaturated();
  const mayBegin = ({ line, waiting, running, isResting }: Queue): boolean =>
    begun < BEGIN_AT_ONCE &&
    waiting.size > 0 &&
    (!line.isLimited || (!isResting && (running === 0 || (running < SERVED_AT_ONCE && !isContested()))));

  const beginNextRound = (): void => {
    begun = 0;
    for (const queue of queues.values()) {
      if (!mayBegin(queue)) continue;
      queues.delete(queue.line.name);
      queues.set(queue.line.name, queue);
      beginFirst(queue);
    }
  };

  const beginFirst = (queue: Queue): void => {
    begun += 1;
    if (begun === 1) setImmediate(beginNextRound);
    const [begin] = queue.waiting;
    if (begin === undefined) return;
    queue.waiting.delete(begin);
    begin();
  };

  const goOn = (queue: Queue): void => {
    while (mayBegin(queue)) beginFirst(queue);
    if (queue.waiting.size === 0 && queue.running === 0 && !queue.isResting) queues.delete(queue.line.name);
  };

  const rest = (queue: Queue): void => {
    const restMs = REST_FACTOR * Math.min(queue.workedMs, LONGEST_TURN_MS);
    queue.workedMs = 0;
    queue.isResting = true;
    setTimeout(() => {
      queue.isResting = false;
      goOn(queue);
    }, restMs).unref();
  };

  const startTurn = (queue: Queue): (() => void) => {
    const beganAt = performance.now();
    queue.running += 1;
    if (!queue.line.isLimited) unlimited += 1;
    let isOver = false;
    const end = (): void => {
      if (isOver) return;
      isOver = true;
      clearTimeout(timer);
      queue.running -= 1;
      if (!queue.line.isLimited) unlimited -= 1;
      else if (isContested()) {
        queue.workedMs += performance.now() - beganAt;
        if (!queue.isResting && (queue.workedMs >= WORK_MS || queue.waiting.size === 0)) rest(queue);
      }
      goOn(queue);
    };
    const timer = queue.line.isLimited ? setTimeout(end, LONGEST_TURN_MS).unref() : undefined;
    return end;
  };

  return {
    /**
     * Calls `begin` when the turn has come, with the function that ends it (call it twice, or late: a turn ends by itself after a while).
     * Returns the function that leaves the line.
     */
    enter: (given: Line, begin: (end: () => void) => void): (() => void) => {
      // What began before is not limited, so this is another queue.
      const line = heldBack.has(given.name) ? { name: `held back: ${given.name}`, isLimited: true } : given;
      const queue = queues.get(line.name) ?? new Queue(line);
      queues.set(line.name, queue);
      const start = (): void => begin(startTurn(queue));
      queue.waiting.add(start);
      goOn(queue);
      return () => {
        if (queue.waiting.delete(start)) goOn(queue);
      };
    },
    /** Limits the line for a minute from now, whatever it is otherwise. */
    holdBack: ({ name }: Line): void => {
      clearTimeout(heldBack.get(name));
      heldBack.set(name, setTimeout(() => heldBack.delete(name), HELD_BACK_MS).unref());
    },
  };
}

const WINDOW_MS = 50;
const SATURATED = 0.9;

/** Whether the event loop of this process had hardly a moment to spare lately. */
function watchSaturation(): () => boolean {
  let before = performance.eventLoopUtilization();
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
