import type { Media } from '../clients/media.js';
import type { Operation } from '../history.js';

/** One asset of the host, seen past all links. */
export interface HostFile {
  assetId: string;
  publicId: string;
  context: Readonly<Record<string, string>>;
  tags: readonly string[];
  /** Of the bytes that the host has now; null when it has none. */
  sha256: string | null;
}

/** What a run left behind: everything the checker looks at. Times are milliseconds since the start of the run. */
export interface RunResult {
  operations: readonly Operation[];
  /** When Redis was thrown away. */
  wipedAt: readonly number[];
  /** The whole list of the catalog at the end. */
  records: readonly Media[];
  /** The whole listing of the host at the end. */
  assets: readonly HostFile[];
  /** Ids of records that were verified as on the disk, and are gone after the last kill of Redis. */
  goneAfterKill: readonly string[];
  /** From the end of the last fault until nothing was left to do; null when it never came to that. */
  convergedMs: number | null;
  /** What kept it from converging, if anything. */
  unsettled: string;
  planned: number;
  injected: number;
  /** Processes that ended although nobody had asked them to, or did not stop when asked. */
  crashes: readonly string[];
}

export type ViolationKind =
  | 'lost'
  | 'bytes differ'
  | 'field differs'
  | 'duplicate'
  | 'orphan'
  | 'record without an asset'
  | 'kept though refused'
  | 'old value read'
  | 'revision fell'
  | 'not found though acknowledged'
  | 'came back after its deletion'
  | 'host says otherwise'
  | 'untruthful level'
  | 'not converged'
  | 'too few faults'
  | 'crashed';

export interface Violation {
  kind: ViolationKind;
  /** Id of the media, public id of the asset, or empty. */
  about: string;
  detail: string;
}
