import {
  BASE_KEY,
  consoleKeys,
  editableFields,
  editBase,
  emptyFields,
  putShown,
  SHOWN_KEY,
  textWithMark,
  type AssetThere,
  type EditableFields,
} from './host-edits.js';
import { isMediaId } from './media-id.js';
import { mediaSources, type MediaRecord } from './media-record.js';
import { isPlain, putText, takeText } from './text-encoding.js';

/** What the host keeps beside the bytes: free key-value pairs and tags. */
export interface HostMetadata {
  context: Readonly<Record<string, string>>;
  tags: readonly string[];
  /**
   * The name under which the Media Library shows the asset, in accounts with dynamic folders. Written where it is given; read where
   * the host includes it.
   */
  displayName?: string | undefined;
}

/**
 * Everything of a record that cannot be read off the bytes. It travels with the asset, so that an empty catalog gives the same
 * record again. The duration only of videos, once it is known: listings do not show it.
 */
export type CarriedFields = EditableFields &
  Pick<MediaRecord, 'id' | 'revision' | 'filename' | 'uploadedBy' | 'source'> &
  Pick<MediaRecord, 'createdAt' | 'updatedAt' | 'checksum' | 'durationSeconds'>;

/** The fields of a new file, before anybody has described it and before its bytes are known. */
export function firstFields(
  of: Pick<CarriedFields, 'id' | 'filename' | 'uploadedBy' | 'source'>,
  createdAt: Date,
): CarriedFields {
  const at = createdAt.toISOString();
  return {
    ...of,
    ...emptyFields,
    revision: 1,
    createdAt: at,
    updatedAt: at,
    checksum: { sha256: null, md5: null },
    durationSeconds: null,
  };
}

/**
 * `committed` assets count; `started` ones were never acknowledged, and are removed once `deadlineSeconds` after
 * their upload have passed (docs/architecture.md, crash windows). `ticket` assets were sent straight to the host
 * by a client that we gave the right to, until `expiresAtMs` by the host's clock: whole, but not yet looked at by us.
 */
export type CommitMark =
  | { state: 'committed' }
  | { state: 'started'; deadlineSeconds: number }
  | { state: 'ticket'; expiresAtMs: number };

/**
 * What ties an asset to the Idempotency-Key of its upload, so that an emptied Redis learns again which keys are used up.
 * It travels with the asset and is no part of the record. Both are 32 hex digits.
 */
export interface UploadClaim {
  /** Hash of the client and its key. */
  key: string;
  /** Fingerprint of the request. */
  fingerprint: string;
}

/** What Holdfast keeps on an asset besides its bytes, see `writeHostMetadata` and `readHostMetadata`. */
export interface Carried {
  mark: CommitMark;
  fields: CarriedFields;
  /** Only of uploads that came with an Idempotency-Key. */
  claim?: UploadClaim | undefined;
  /** Only of assets that were renamed, see `bindingOf`. */
  boundTo?: string | undefined;
}

/**
 * Distinguishes a renamed asset of ours from a copy of it, which carries the same mark under another name: a rename keeps the asset
 * id. With the folder, since another deployment on the same cloud reads it as well.
 */
export function bindingOf(folder: string, assetId: string): string {
  return `${folder}/${assetId}`;
}

const LOWER_HEX = /^[0-9a-f]+$/;
const MARK = 'hf';
const markText = { started: '0', committed: '1', ticket: '2' } as const;
/** Fields that people may read and edit on the host, under their own plain names. */
const readable = editableFields.filter((name) => name !== 'tags');

/**
 * The pairs and tags that carry the record, for an asset that has `there` now. What others keep in its context stays, and so does the
 * key of its upload, which no later write may free. Inverse of `readHostMetadata`.
 */
export function writeHostMetadata(
  { mark, fields, claim, boundTo }: Carried,
  there: AssetThere | null = null,
): HostMetadata {
  const before = there?.context ?? {};
  const kept = claim ?? takeClaim(before);
  const pairs = {
    [MARK]: markText[mark.state],
    hf_due: mark.state === 'started' ? mark.deadlineSeconds : null,
    hf_exp: mark.state === 'ticket' ? mark.expiresAtMs : null,
    hf_id: fields.id,
    hf_rev: fields.revision,
    hf_src: fields.source,
    hf_created: Date.parse(fields.createdAt),
    hf_updated: Date.parse(fields.updatedAt),
    hf_sha256: fields.checksum.sha256,
    hf_md5: fields.checksum.md5,
    hf_dur: fields.durationSeconds,
    hf_idem: kept?.key,
    hf_print: kept?.fingerprint,
    hf_asset: boundTo,
    [BASE_KEY]: editBase(fields),
  };
  const context = Object.fromEntries(Object.entries(before).filter(([key]) => !isOwnKey(key)));
  for (const [key, value] of Object.entries(pairs))
    if (value !== null && value !== undefined) context[key] = String(value);
  putText(context, 'hf_name', fields.filename);
  putText(context, 'hf_by', fields.uploadedBy);
  for (const name of readable) {
    if (isPlain(fields[name])) context[name] = fields[name];
    else putText(context, `hf_${name}`, fields[name]);
  }
  return { displayName: putShown(context, fields, there), context, tags: fields.tags };
}

const plainKeys: ReadonlySet<string> = new Set([MARK, SHOWN_KEY, ...readable, ...Object.values(consoleKeys)]);

/** Whether a context key is written by Holdfast, on its own assets. */
export function isOwnKey(key: string): boolean {
  return key.startsWith(`${MARK}_`) || plainKeys.has(key);
}

/** What Holdfast wrote on the asset, or null for an asset that others put there (no mark, or one we cannot read). */
export function readHostMetadata({ context, tags }: HostMetadata): Carried | null {
  const mark = markIn(context);
  const id = context['hf_id'] ?? '';
  const revision = numberIn(context['hf_rev'], 1, HIGHEST_REVISION);
  const createdAt = isoDate(context['hf_created']);
  if (mark === null || !isMediaId(id) || createdAt === null) return null;
  if (revision === null || !Number.isInteger(revision)) return null;
  // A plain name that is there was put there by us or by a person on the host, later than any encoded value.
  const textOf = (name: (typeof readable)[number]): string =>
    context[name] ?? takeText(context, `hf_${name}`) ?? '';
  return {
    mark,
    boundTo: context['hf_asset'],
    claim: takeClaim(context),
    fields: {
      id,
      revision,
      createdAt,
      updatedAt: isoDate(context['hf_updated']) ?? createdAt,
      source: mediaSources.find((source) => source === context['hf_src']) ?? 'upload',
      checksum: { sha256: hashOf(context['hf_sha256'], 64), md5: hashOf(context['hf_md5'], 32) },
      durationSeconds: numberIn(context['hf_dur'], 0, Number.MAX_VALUE),
      filename: takeText(context, 'hf_name') ?? '',
      uploadedBy: takeText(context, 'hf_by') ?? '',
      title: textWithMark('title', textOf('title'), context, id),
      description: textWithMark('description', textOf('description'), context, id),
      category: textOf('category'),
      tags: [...tags],
    },
  };
}

function markIn(context: Readonly<Record<string, string>>): CommitMark | null {
  const text = context[MARK];
  if (text === markText.committed) return { state: 'committed' };
  if (text === markText.started) return { state: 'started', deadlineSeconds: Number(context['hf_due']) || 0 };
  return text === markText.ticket ? { state: 'ticket', expiresAtMs: Number(context['hf_exp']) || 0 } : null;
}

/** People can edit what we wrote: what is no hash must not enter an index of hashes. */
function hashOf(text: string | undefined, length: number): string | null {
  return text?.length === length && LOWER_HEX.test(text) ? text : null;
}

/** More edits than any record will see: a higher number was put there by hand. */
const HIGHEST_REVISION = 1e9;
const LATEST_MS = 8e15;

/** People can edit these too: a record with a revision that is no count could be neither read nor edited. */
function numberIn(text: string | undefined, least: number, most: number): number | null {
  const number = text === undefined || text === '' ? NaN : Number(text);
  return number >= least && number <= most ? number : null;
}

function isoDate(text: string | undefined): string | null {
  const milliseconds = numberIn(text, 0, LATEST_MS);
  return milliseconds === null ? null : new Date(milliseconds).toISOString();
}

/** Undefined for assets of uploads without a key. */
function takeClaim(context: Readonly<Record<string, string>>): UploadClaim | undefined {
  const [key, fingerprint] = [hashOf(context['hf_idem'], 32), hashOf(context['hf_print'], 32)];
  return key !== null && fingerprint !== null ? { key, fingerprint } : undefined;
}
