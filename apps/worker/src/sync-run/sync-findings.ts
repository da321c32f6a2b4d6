import type { SyncFinding } from '@holdfast/shared/sync';

type Texts = Pick<SyncFinding, 'severity' | 'message' | 'fix'>;

const IDS_SHOWN = 20;

const texts: Record<SyncFinding['code'], Texts> = {
  MASS_MISSING: {
    severity: 'warning',
    message: 'So many files are gone from the host at once that none of them was marked missing.',
    fix: 'Check the host. If they are really gone, start a full sync with force=true.',
  },
  HOST_CHANGED: {
    severity: 'warning',
    message:
      'The catalog belongs to another media host than the configured one, so nothing was marked missing.',
    fix: 'Configure that host again, or copy its files, with the same CLOUDINARY_FOLDER: npm run -s holdfast -- move.',
  },
  CONTENT_CHANGED: {
    severity: 'warning',
    message: 'The host has other bytes than those that were uploaded.',
    fix: 'Restore the original on the host, or delete the file here and upload it again.',
  },
  CATALOG_REBUILDING: {
    severity: 'notice',
    message: 'The catalog was empty, so this run fills it from the host.',
    fix: 'Nothing to do. After the first start it should stay filled: if this happens again, find out what empties Redis.',
  },
  SNAPSHOT_RESTORED: {
    severity: 'notice',
    message: 'The catalog was refilled from its snapshot on the host.',
    fix: 'Nothing to do. The sync adds what changed since the snapshot.',
  },
  SNAPSHOT_REFUSED: {
    severity: 'notice',
    message:
      'Snapshots of the catalog were skipped: damaged, of a newer version, or not served by the host in three rounds.',
    fix: 'Nothing to do: an older snapshot, or the listing of the host, refills the catalog.',
  },
  MARK_LOST: {
    severity: 'notice',
    message: 'The host had lost what we keep beside the bytes; it was written again.',
    fix: 'Nothing to do. Leave the context keys that begin with hf alone.',
  },
  UNFINISHED_UPLOAD: {
    severity: 'notice',
    message: 'Uploads that were never acknowledged were removed from the host.',
    fix: 'Nothing to do.',
  },
  UNWELCOME_UPLOAD: {
    severity: 'notice',
    message:
      'Direct uploads that came too late, were too large or of a type that is not accepted were removed from the host.',
    fix: 'Tell your users the limits: UPLOAD_MAX_BYTES, UPLOAD_ALLOWED_TYPES and the lifetime of a ticket.',
  },
  ASSETS_UNREADABLE: {
    severity: 'warning',
    message: 'The host lists assets in a form that cannot be read. Nothing is concluded about them.',
    fix: 'Local host: restore <asset id>.json from a backup, or delete the file. Cloudinary: update Holdfast, or report the log event host.assets_unreadable.',
  },
  LISTING_FIELDS_MISSING: {
    severity: 'warning',
    message:
      'Listings of the host lack fields that were requested. Without etag the bytes on the host are not checked.',
    fix: 'Report it, with the names of the fields. Everything else works.',
  },
  LISTING_SHORT: {
    severity: 'warning',
    message: 'The host listed far fewer assets than the catalog holds, and confirmed the others one by one.',
    fix: 'Start a full sync. If it happens again, compare the listing with what the console of the host shows.',
  },
};

/** Adds ids to the finding with this code, which there is at most once. */
export function noteFinding(
  findings: readonly SyncFinding[],
  code: SyncFinding['code'],
  ids: readonly string[],
  count?: number,
): SyncFinding[] {
  const before = findings.find((finding) => finding.code === code);
  const fresh = ids.filter((id) => before?.ids.includes(id) !== true);
  const finding: SyncFinding = {
    code,
    ...texts[code],
    count: (before?.count ?? 0) + (count ?? fresh.length),
    ids: [...(before?.ids ?? []), ...fresh].slice(0, IDS_SHOWN),
  };
  return before === undefined
    ? [...findings, finding]
    : findings.map((other) => (other === before ? finding : other));
}
