import { HoldfastError } from '@holdfast/foundation/errors';
import type { Intents } from '@holdfast/shared/intents';
import type { Logger } from '@holdfast/foundation/logging';
import { newMediaId, publicIdFor, timeOfId } from '@holdfast/shared/media';
import { promptly } from './admission.js';

/** With fewer uploads under way each opens its own intent, and so learns at once that Redis is away. */
const MANY_UPLOADS = 4;
/** With its own intent as many as one script takes. */
const LARGEST_BLOCK = 15;
/** How recently Redis must have taken a write for an upload that makes none of its own. */
const PROOF_MS = 25;
/** Unused intents are dropped after this time: the sweep would look for their assets. */
const DROP_AFTER_MS = 1_000;

export interface OpenedIntent {
  id: string;
  /** When Redis was asked to open it, by `performance.now()`. */
  openedAt: number;
  startedAt: Date;
}

export interface IntentOpener {
  /**
   * An open intent, before anything is read from the client or sent to the host. All tries of one claim have its id, and with
   * it the same time. Throws OVERLOADED or QUEUE_UNAVAILABLE.
   */
  open(claimedId: string | null): Promise<OpenedIntent>;
  /** Drops what is unused. */
  stop(): void;
}

export interface IntentOpenerDependencies {
  intents: Pick<Intents, 'open' | 'drop'>;
  /** How many uploads are under way. */
  running: () => number;
  /** Whether the connection of the intents is there, as far as is known without asking. */
  isConnected: () => boolean;
  /** Of our assets on the host. */
  folder: string;
  maxBacklog: number;
  log: Logger;
}

/**
 * Opens the intents of uploads. Under load it opens them in blocks: one command, one fsync and one answer for an upload and
 * for some of the next ones, which then need not wait for Redis (docs/decisions/0021-intents-opened-ahead.md).
 */
export function createIntentOpener(deps: IntentOpenerDependencies): IntentOpener {
  const { intents, folder, maxBacklog } = deps;
  let unused: { id: string; openedAt: number }[] = [];
  let opening = 0;
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;

  const open = async (id: string): Promise<boolean> =>
    (await intents.open(id, publicIdFor(folder, id), maxBacklog)) === 'opened';

  const drop = (ids: readonly string[]): void => {
    if (ids.length === 0) return;
    // What cannot be dropped is found by the sweep.
    intents.drop(...ids).catch((error: unknown) => deps.log.debug('upload.not_dropped', { error }));
  };
  const dropOld = (): void => {
    timer = undefined;
    const old = unused.filter((intent) => !isProof(intent));
    unused = unused.filter(isProof);
    drop(old.map(({ id }) => id));
    if (unused.length > 0) timer = setTimeout(dropOld, DROP_AFTER_MS).unref();
  };

  /** For uploads to come: half as many as are under way. */
  const openAhead = async (): Promise<void> => {
    const running = deps.running();
    if (stopped || running < MANY_UPLOADS || opening > 0) return;
    const openedAt = performance.now();
    opening = Math.min(Math.floor(running / 2), LARGEST_BLOCK);
    const ids = Array.from({ length: opening }, () => newMediaId());
    // The upload that waits for the same command learns of a failure.
    const opened = await Promise.all(ids.map((id) => open(id).catch(() => false)));
    opening = 0;
    const ready = ids.filter((_, index) => opened[index] === true);
    if (stopped) {
      drop(ready);
      return;
    }
    unused.push(...ready.map((id) => ({ id, openedAt })));
    timer ??= setTimeout(dropOld, DROP_AFTER_MS).unref();
  };

  const takeOpened = (): OpenedIntent | null => {
    if (deps.running() < MANY_UPLOADS || !deps.isConnected()) return null;
    // The newest: what it proves is the freshest.
    const newest = unused.at(-1);
    if (newest === undefined || !isProof(newest)) return null;
    unused.pop();
    return { ...newest, startedAt: new Date() };
  };

  return {
    open: async (claimedId) => {
      const taken = claimedId === null ? takeOpened() : null;
      if (taken !== null) return taken;
      const id = claimedId ?? newMediaId();
      const openedAt = performance.now();
      const opened = open(id);
      if (claimedId === null) void openAhead();
      if (!(await promptly(opened)))
        throw new HoldfastError('OVERLOADED', 'too many jobs wait', { retryAfterSeconds: 5 });
      return { id, openedAt, startedAt: new Date(timeOfId(id)) };
    },
    stop: () => {
      stopped = true;
      clearTimeout(timer);
      drop(unused.map(({ id }) => id));
      unused = [];
    },
  };
}

function isProof({ openedAt }: { openedAt: number }): boolean {
  return performance.now() - openedAt < PROOF_MS;
}
