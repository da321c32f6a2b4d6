import { openSync, writeSync, closeSync } from 'node:fs';

/** What clients may write about a media item and read again. */
export interface Fields {
  title: string;
  description: string;
}

/**
 * How an operation ended, as its client knows it. `ok`: acknowledged. `fail`: refused, so it did not happen. `info`: no
 * answer, or one that leaves it open; it may happen, or not, at any time after it was begun.
 */
export type Outcome = 'ok' | 'fail' | 'info';

interface Common {
  client: string;
  /** Milliseconds since the start of the run, of a clock that only goes forward. */
  invokedAt: number;
  /** Infinity until it returned, and for ever where no answer came. */
  returnedAt: number;
  outcome: Outcome;
  /** What it was answered by: a status, or why there was no answer. */
  answer: string;
}

export interface UploadOperation extends Common {
  kind: 'upload';
  /** Of a body that no other upload of the run has. */
  sha256: string;
  bytes: number;
  fields: Fields & { category: string; tags: readonly string[]; filename: string };
  /** Known once it is acknowledged. */
  id: string | null;
  /** Acknowledged while the catalog was away: other processes may not know it yet. */
  deferred: boolean;
}

export interface EditOperation extends Common {
  kind: 'edit';
  id: string;
  field: keyof Fields;
  /** No other operation of the run writes this value. */
  value: string;
  /** Acknowledged by 202: the host does not have it yet, so that a wiped Redis may lose it. */
  soft: boolean;
}

export interface DeleteOperation extends Common {
  kind: 'delete';
  id: string;
  /** When a client first got the answer that the file is gone, so that the host no longer has it. Infinity when never. */
  goneAt: number;
}

export interface ReadOperation extends Common {
  kind: 'read';
  id: string;
  /** What was read; null when it is not there (404). */
  found: (Fields & { status: string; revision: number; level: string | null }) | null;
}

export type Operation = UploadOperation | EditOperation | DeleteOperation | ReadOperation;

type Begun<O extends Operation> = Omit<O, 'invokedAt' | 'returnedAt' | 'outcome' | 'answer'>;

/** Everything that clients did and were answered, by time of the request. */
export interface History {
  readonly operations: readonly Operation[];
  now(): number;
  /** Notes an operation before it is sent: without a later word it counts as `info`. */
  begin<O extends Operation>(operation: Begun<O>): O;
  end<O extends Operation>(operation: O, outcome: Outcome, answer: string, known?: Partial<O>): void;
  close(): void;
}

/** Keeps the history, and writes every end of an operation to a file as a line of JSON. */
export function openHistory(file: string): History {
  const out = openSync(file, 'a');
  const operations: Operation[] = [];
  const start = performance.now();
  const now = (): number => performance.now() - start;
  return {
    operations,
    now,
    begin: <O extends Operation>(operation: Begun<O>): O => {
      const begun = {
        ...operation,
        invokedAt: now(),
        returnedAt: Infinity,
        outcome: 'info',
        answer: '',
      } as unknown as O;
      operations.push(begun);
      return begun;
    },
    end: (operation, outcome, answer, known = {}) => {
      Object.assign(operation, known, { outcome, answer });
      if (outcome !== 'info') operation.returnedAt = now();
      writeSync(out, `${JSON.stringify(operation)}\n`);
    },
    close: () => closeSync(out),
  };
}
