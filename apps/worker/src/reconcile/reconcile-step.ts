import type { StoredRecord } from '@holdfast/shared/catalog';
import type { ArrivalRules } from '@holdfast/shared/direct-uploads';
import type { Carried, MediaRecord, TakenIn } from '@holdfast/shared/media';
import type { HostAsset } from '@holdfast/shared/media-host';

/** What Redis knows besides records. */
export interface AssetMarks {
  /** Deleted here. */
  tombstoned: ReadonlySet<string>;
  /** Being uploaded or verified: the jobs of the upload have the say. */
  inHand: ReadonlySet<string>;
  /** Public ids, with their type, of refused uploads that wait for their removal. */
  refused: ReadonlySet<string>;
  /** Ids of our tickets whose files have another name than was signed. */
  ticketed: ReadonlySet<string>;
  /** Of records that wait for their push: what the host had when its edits came in. */
  takenIn: ReadonlyMap<string, TakenIn>;
}

export interface ReconcileRules {
  folder: string;
  syncPrefix: string;
  nowMs: number;
  /** By the host's clock, for what is compared with the host's dates. */
  hostNowMs: number;
  /** For what clients sent straight to the host. */
  uploads: ArrivalRules;
}

/** What is to be done about one asset. */
export type Action =
  | { kind: 'unchanged' }
  | { kind: 'left'; why: LeftWhy }
  | { kind: 'create'; record: MediaRecord }
  /** Sent straight to the host by a client, and welcome: gets the commit mark, then its record. */
  | { kind: 'adopt'; record: MediaRecord; carried: Carried }
  /** Over exactly what was read, or where `expect` is null by the revisions alone; with edits that the host has. */
  | { kind: 'save'; record: MediaRecord; expect: StoredRecord | null; takenIn?: TakenIn }
  /** Edited here, and the host does not have it yet. */
  | { kind: 'push'; record: MediaRecord }
  /** The host lost what we wrote there. */
  | { kind: 'rewrite'; record: MediaRecord }
  /** The same, and nobody has verified it. */
  | { kind: 'verify'; record: MediaRecord }
  /** `ticket`: whose file the account renamed. */
  | { kind: 'remove'; why: 'tombstoned' | 'unfinished' | 'unwelcome'; ticket?: string };

export type LeftWhy =
  'deleting' | 'in hand' | 'refused' | 'unfinished' | 'outside' | 'deleted here' | 'twice' | 'damaged';

export interface Step {
  asset: HostAsset;
  action: Action;
  /** Of the record that there is, or would be. */
  id: string;
  /** The record that was met; null where there is none. */
  stored: StoredRecord | null;
  /** The record was missing. */
  restore: boolean;
  contentChanged: boolean;
  /** It was renamed, and its mark does not say yet that it is no copy. */
  bind: boolean;
  /** An index may lag: ask the host for the asset itself before acting. */
  look: boolean;
}

/** Nobody has verified the record, or has given up: what it failed of may be over. */
export function isOpen({ status }: Pick<StoredRecord, 'status'>): boolean {
  return status === 'saving' || status === 'deferred' || status === 'failed';
}

/** The public id together with its type. */
export function typedPublicId({
  resourceType,
  publicId,
}: Pick<HostAsset, 'resourceType' | 'publicId'>): string {
  return `${resourceType}:${publicId}`;
}

/** Whether a sync takes care of this asset; our own folder always. */
export function isCovered(
  publicId: string,
  { folder, syncPrefix }: Pick<ReconcileRules, 'folder' | 'syncPrefix'>,
): boolean {
  return syncPrefix === '' || publicId.startsWith(syncPrefix) || publicId.startsWith(`${folder}/`);
}
