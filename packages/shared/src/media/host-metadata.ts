import { consoleKeys, editedInConsole, putShown, SHOWN_KEY, type AssetThere } from './console-fields.js';
import { BASE_KEY, editableFields, editBase, pickEditable, type EditableFields } from './host-edits.js';
import { isMediaId } from './media-id.js';
import type { MediaRecord } from './media-record.js';
import { isPlain, putText, takeText } from './text-encoding.js';

/** What the host keeps beside the bytes: free key-value pairs and tags. */
export interface HostMetadata {
  context: Readonly<Record<string, string>>;
  tags: readonly string[];
  /**
   * The name under which the Media Library shows the asset, in accounts with dynamic folders. Written where it is given; read where
   * the host includes it.
   */
  displayName?: string;
}

/**
 * Everything of a record that cannot be read off the bytes. It travels with the asset, so that an empty catalog
 * gives the same record again.
 */
export type CarriedFields = EditableFields &
  Pick<MediaRecord, 'id' | 'revision' | 'filename' | 'uploadedBy' | 'source' | 'createdAt' | 'updatedAt'> &
  MediaRecord['checksum'] & {
    /** Of videos, once it is known: listings do not show it. */
    durationSeconds?: number | null;
  };

/** What of a record travels with its asset. */
export function carriedFields(record: MediaRecord): CarriedFields {
  const { id, revision, filename, uploadedBy, source, createdAt, updatedAt, durationSeconds } = record;
  const editable = pickEditable(record);
  const fields = { id, revision, filename, ...editable, uploadedBy, source, createdAt, updatedAt };
  return { ...fields, ...record.checksum, ...(durationSeconds === null ? {} : { durationSeconds }) };
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
export type Carried = {
  mark: CommitMark;
  fields: CarriedFields;
  /** Only of uploads that came with an Idempotency-Key. */
  claim?: UploadClaim;
  /** Only of assets that were renamed, see `bindingOf`. */
  boundTo?: string;
};

/**
 * Distinguishes a renamed asset of ours from a copy of it, which carries the same mark under another name: a rename keeps the asset
 * id. With the folder, since another deployment on the same cloud reads it as well.
 */
export function bindingOf(folder: string, assetId: string): string {
  return `${folder}/${assetId}`;
}

const LOWER_HEX = /^[0-9a-f]+$/;
const MARK = 'hf';
const BINDING_KEY = 'hf_asset';
const CLAIM_KEY = 'hf_idem';
const CLAIM_FINGERPRINT = 'hf_print';
const CLAIM_HASH = /^[0-9a-f]{32}$/;
const markText = { started: '0', committed: '1', ticket: '2' } as const;
/** Fields that people may read and edit on the host, under their own plain names. */
const readable = editableFields.filter((name) => name !== 'tags');

/** The pairs and tags that carry the record. Inverse of `readHostMetadata`. */
export function writeHostMetadata(carried: Carried): HostMetadata {
  return metadataOn(null, carried);
}

function metadataOn(there: AssetThere | null, { mark, fields, claim, boundTo }: Carried): HostMetadata {
  const context: Record<string, string> = {
    [MARK]: markText[mark.state],
    hf_id: fields.id,
    hf_rev: String(fields.revision),
    hf_src: fields.source,
    hf_created: String(Date.parse(fields.createdAt)),
    hf_updated: String(Date.parse(fields.updatedAt)),
    [BASE_KEY]: editBase(fields),
  };
  if (mark.state === 'started') context['hf_due'] = String(mark.deadlineSeconds);
  if (mark.state === 'ticket') context['hf_exp'] = String(mark.expiresAtMs);
  if (fields.sha256 !== null) context['hf_sha256'] = fields.sha256;
  if (fields.md5 !== null) context['hf_md5'] = fields.md5;
  if (typeof fields.durationSeconds === 'number') context['hf_dur'] = String(fields.durationSeconds);
  if (claim !== undefined) {
    context[CLAIM_KEY] = claim.key;
    context[CLAIM_FINGERPRINT] = claim.fingerprint;
  }
  if (boundTo !== undefined) context[BINDING_KEY] = boundTo;
  putText(context, 'hf_name', fields.filename);
  putText(context, 'hf_by', fields.uploadedBy);
  for (const name of readable) {
    if (isPlain(fields[name])) context[name] = fields[name];
    else putText(context, `hf_${name}`, fields[name]);
  }
  const displayName = putShown(context, fields, there);
  return { context, tags: fields.tags, ...(displayName === undefined ? {} : { displayName }) };
}

/**
 * The pairs and tags of an asset that is there, once `carried` is written to it. What others keep in its context stays, and so
 * does the key of its upload, which no later write may free.
 */
export function rewriteHostMetadata(there: AssetThere, carried: Carried): HostMetadata {
  const claim = carried.claim ?? takeClaim(there.context);
  const metadata = metadataOn(there, {
    ...carried,
    ...(claim === undefined ? {} : { claim }),
  });
  return { ...metadata, context: { ...pairsOfOthers(there.context), ...metadata.context } };
}

function pairsOfOthers(context: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(context).filter(([key]) => !isOwnKey(key)));
}

const plainKeys: ReadonlySet<string> = new Set([MARK, SHOWN_KEY, ...readable, ...Object.values(consoleKeys)]);

/** Whether a context key is written by Holdfast, on its own assets. */
export function isOwnKey(key: string): boolean {
  return key.startsWith(`${MARK}_`) || plainKeys.has(key);
}

/** What Holdfast wrote on the asset, or null for an asset that others put there (no mark, or one we cannot read). */
export function readHostMetadata({ context, tags }: HostMetadata): Carried | null {
  const mark = markOf[context[MARK] ?? '']?.(context);
  const id = context['hf_id'] ?? '';
  const revision = numberIn(context['hf_rev'], 1, HIGHEST_REVISION);
  const createdAt = isoDate(context['hf_created']);
  if (mark === undefined || !isMediaId(id) || createdAt === null) return null;
  if (revision === null || !Number.isInteger(revision)) return null;
  const source = context['hf_src'];
  const claim = takeClaim(context);
  const boundTo = context[BINDING_KEY];
  const durationSeconds = numberIn(context['hf_dur'], 0, Number.MAX_VALUE);
  return {
    mark,
    ...(boundTo === undefined ? {} : { boundTo }),
    ...(claim === undefined ? {} : { claim }),
    fields: {
      id,
      revision,
      createdAt,
      updatedAt: isoDate(context['hf_updated']) ?? createdAt,
      source: source === 'direct' || source === 'sync' || source === 'webhook' ? source : 'upload',
      sha256: hashOf(context['hf_sha256'], 64),
      md5: hashOf(context['hf_md5'], 32),
      ...(durationSeconds === null ? {} : { durationSeconds }),
      filename: takeText(context, 'hf_name') ?? '',
      uploadedBy: takeText(context, 'hf_by') ?? '',
      // A plain name that is there was put there by us or by a person on the host, later than any encoded value.
      title: editedInConsole('title', context['title'] ?? takeText(context, 'hf_title') ?? '', context, id),
      description: editedInConsole(
        'description',
        context['description'] ?? takeText(context, 'hf_description') ?? '',
        context,
        id,
      ),
      category: context['category'] ?? takeText(context, 'hf_category') ?? '',
      tags: [...tags],
    },
  };
}

const markOf: Record<string, (context: Readonly<Record<string, string>>) => CommitMark> = {
  [markText.committed]: () => ({ state: 'committed' }),
  [markText.started]: (context) => ({
    state: 'started',
    deadlineSeconds: Number(context['hf_due'] ?? '0') || 0,
  }),
  [markText.ticket]: (context) => ({ state: 'ticket', expiresAtMs: Number(context['hf_exp'] ?? '0') || 0 }),
};

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
  const key = context[CLAIM_KEY] ?? '';
  const fingerprint = context[CLAIM_FINGERPRINT] ?? '';
  return CLAIM_HASH.test(key) && CLAIM_HASH.test(fingerprint) ? { key, fingerprint } : undefined;
}
