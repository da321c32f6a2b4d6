/** What a probe saw. */
export type Verdict =
  | { outcome: 'ok'; found: string }
  /** A note where Holdfast copes, an error where it cannot keep a promise. `means` says what follows from it. */
  | { outcome: 'differs'; severity: 'note' | 'error'; found: string; means: string; fix?: string }
  /** It ended in an error, which `found` tells. */
  | { outcome: 'failed'; found: string; fix?: string }
  /** It was not run, and `found` says why. */
  | { outcome: 'skipped'; found: string; means?: string };

/** One row of the doctor's table: one assumption and how to try it. */
export interface Probe<T> {
  name: string;
  expected: string;
  /** What to do where it is otherwise. */
  fix: string;
  /** The probes after it have no chance where it fails. */
  gate?: true;
  run: (trial: T) => Verdict | Promise<Verdict>;
}

export type Severity = 'ok' | 'note' | 'error' | 'skipped';

/** One line of the report. */
export interface Row {
  group: string;
  name: string;
  outcome: Verdict['outcome'];
  /** Only `error` makes the exit code 1. */
  severity: Severity;
  expected: string;
  found: string;
  means?: string;
  fix?: string;
}

/** The fix where no setting helps. Not said in notes, since Holdfast copes. */
export const REPORT = 'Please report this difference.';

export const PRESETS =
  'In the console, Settings, Upload, take the default preset off uploads through the API.';

export const ok = (found: string): Verdict => ({ outcome: 'ok', found });
export const skipped = (found: string, means?: string): Verdict => ({
  outcome: 'skipped',
  found,
  ...(means === undefined ? {} : { means }),
});
export const note = (found: string, means: string): Verdict => ({
  outcome: 'differs',
  severity: 'note',
  found,
  means,
});
/** `fix`: where what was seen tells more than the probe. */
export const wrong = (found: string, means: string, fix?: string): Verdict => ({
  outcome: 'differs',
  severity: 'error',
  found,
  means,
  ...(fix === undefined ? {} : { fix }),
});

/** Thrown by a probe that has no chance now. */
export class NotRun extends Error {
  override readonly name = 'NotRun';
}
