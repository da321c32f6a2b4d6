import type { Intents, NextUpload } from '@holdfast/shared/intents';
import type { Logger } from '@holdfast/shared/logging';
import { newMediaId, publicIdFor } from '@holdfast/shared/media';

/** With fewer uploads under way the next one asks Redis itself, and so learns at once that Redis is away. */
const MANY_UPLOADS = 4;
/** No longer ago Redis has taken a write: what an upload may rely on that asks for none of its own. */
const PROOF_MS = 25;
/** What was not taken meanwhile is dropped: the sweep would look for its asset. */
const DROP_AFTER_MS = 1_000;

/**
 * Intents for uploads to come. Where many are under way, an upload that is accepted has the intent of the next one opened in
 * the same step, so that the next one need not wait for Redis before its first byte (docs/decisions/0021-intents-opened-ahead.md).
 */
export interface OpenedAhead {
  /** What to open together with an acceptance; null while few uploads are under way, or enough are open. */
  propose(): NextUpload | null;
  /** An intent that was opened a moment ago, for one upload alone; null when it must open its own. */
  take(): OpenedIntent | null;
  /** Drops what is left. */
  stop(): void;
}

export interface OpenedIntent {
  id: string;
  /** When Redis was asked to open it, by `performance.now()`. */
  at: number;
}

export interface OpenedAheadDependencies {
  intents: Pick<Intents, 'drop'>;
  /** How many uploads are under way. */
  running: () => number;
  isConnected: () => boolean;
  /** Of our assets on the host. */
  folder: string;
  maxBacklog: number;
  log: Logger;
}

export function createOpenedAhead(deps: OpenedAheadDependencies): OpenedAhead {
  let opened: OpenedIntent[] = [];
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;

  const drop = (ids: readonly string[]): void => {
    if (ids.length === 0) return;
    // What cannot be dropped is found by the sweep.
    deps.intents.drop(...ids).catch((error: unknown) => deps.log.debug('upload.not_dropped', { error }));
  };
  const dropUnused = (): void => {
    timer = undefined;
    const unused = opened.filter((one) => !isProof(one));
    opened = opened.filter(isProof);
    drop(unused.map(({ id }) => id));
    if (opened.length > 0) timer = setTimeout(dropUnused, DROP_AFTER_MS).unref();
  };

  return {
    propose: () => {
      const running = deps.running();
      if (stopped || running < MANY_UPLOADS || opened.length >= running) return null;
      const id = newMediaId();
      const at = performance.now();
      return {
        id,
        publicId: publicIdFor(deps.folder, id),
        maxBacklog: deps.maxBacklog,
        onOpened: () => {
          if (stopped) {
            drop([id]);
            return;
          }
          opened.push({ id, at });
          timer ??= setTimeout(dropUnused, DROP_AFTER_MS).unref();
        },
      };
    },
    take: () => {
      if (deps.running() < MANY_UPLOADS || !deps.isConnected()) return null;
      // The newest: what it proves is the freshest.
      const newest = opened.at(-1);
      return newest !== undefined && isProof(newest) ? (opened.pop() ?? null) : null;
    },
    stop: () => {
      stopped = true;
      clearTimeout(timer);
      drop(opened.map(({ id }) => id));
      opened = [];
    },
  };
}

/** Asked for, and so answered, a moment ago. */
function isProof({ at }: OpenedIntent): boolean {
  return performance.now() - at < PROOF_MS;
}
