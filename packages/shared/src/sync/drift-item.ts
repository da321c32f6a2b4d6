/** Where the two sides differ: the catalog alone has the media, both have it and not the same, the host alone has it. */
export const driftKinds = ['catalog-only', 'different', 'host-only'] as const;
/** A report gives its items in the order of `driftKinds`. */
export type DriftKind = (typeof driftKinds)[number];

/** What a run found, most serious first within its kind. As stable as the codes of errors. */
export const driftCodes = [
  'MISSING',
  'MASS_MISSING',
  'CONTENT_CHANGED',
  'CAME_BACK',
  'EDITED_ON_HOST',
  'CHANGED_ON_HOST',
  'EDITED_HERE',
  'MARK_LOST',
  'SAME_ID_TWICE',
  'DELETING',
  'NOT_IN_CATALOG',
  'DIRECT_UPLOAD',
  'DELETED_HERE',
  'REFUSED_UPLOAD',
  'UNFINISHED_UPLOAD',
  'UNWELCOME_UPLOAD',
] as const;
/** One code of `driftCodes`; docs/sync.md says what each means and what is done about it. */
export type DriftCode = (typeof driftCodes)[number];

/** What the run did about it; in a dry run, what it would have done. */
export const driftActions = [
  'created',
  'updated',
  'restored',
  'push-queued',
  'rewritten',
  'removed',
  'marked-missing',
  'held-back',
  'left',
  'failed',
] as const;
/** held-back: too many at once, so none was marked; left: nothing; failed: the next run tries again. */
export type DriftAction = (typeof driftActions)[number];

/** One difference between catalog and host that a run met. */
export interface DriftItem {
  kind: DriftKind;
  code: DriftCode;
  /** Of the record that there is, was, or would be. */
  id: string;
  publicId: string;
  assetId: string;
  /** For people. */
  detail: string;
  action: DriftAction;
}

/** Items by kind, as many as are kept: at most DRIFT_KEPT of each, or 200 of a dry run. */
export type DriftCounts = Record<DriftKind, number>;

/** Some items of a report, and what is in the whole of it. */
export interface Drift {
  items: DriftItem[];
  counts: DriftCounts;
  /** True where a kind has as many items as are kept of it: there may have been more. */
  cut: boolean;
}

/** One page of the report of the last full run; `runId` is null before there was one. */
export interface DriftPage extends Drift {
  runId: string | null;
  nextCursor: string | null;
}
