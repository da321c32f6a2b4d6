import { readHostMetadata } from '@holdfast/shared/media';
import type { Media } from '../clients/media.js';
import type { HostFile, RunResult, Violation } from './final-state.js';

/** Promises 2 and 3: no asset without a record, no record that promises an asset which is not there, and every asset carries its record. */
export function checkHost({ records, assets }: RunResult): Violation[] {
  const known = new Map(records.map((record) => [record.assetId, record]));
  const there = new Set(assets.map(({ assetId }) => assetId));
  const empty = records.filter(({ status, assetId }) => status === 'verified' && !there.has(assetId));
  return [
    ...empty.map(({ id, status }): Violation => ({
      kind: 'record without an asset',
      about: id,
      detail: status,
    })),
    ...assets.flatMap((asset) => checkAsset(asset, known)),
  ];
}

function checkAsset(asset: HostFile, known: ReadonlyMap<string, Media>): Violation[] {
  if (isUncommitted(asset)) return [];
  const record = known.get(asset.assetId);
  if (record === undefined)
    return [{ kind: 'orphan', about: asset.publicId, detail: 'a committed asset without a record' }];
  return checkCarried(record, asset);
}

/** Never acknowledged: such an asset goes once its own deadline has passed, which may be later than the end of a run. */
export const isUncommitted = ({ context }: Pick<HostFile, 'context'>): boolean => context['hf'] === '0';

function checkCarried(record: Media, asset: HostFile): Violation[] {
  const carried = readHostMetadata(asset);
  if (carried === null)
    return [{ kind: 'host says otherwise', about: record.id, detail: 'it carries no record' }];
  const { fields } = carried;
  const pairs = {
    id: [fields.id, record.id],
    revision: [fields.revision, record.revision],
    title: [fields.title, record.title],
    description: [fields.description, record.description],
    category: [fields.category, record.category],
    tags: [fields.tags.toSorted(), record.tags.toSorted()],
    filename: [fields.filename, record.filename],
    sha256: [fields.checksum.sha256, record.checksum.sha256],
  };
  return Object.entries(pairs).flatMap(([name, [host, catalog]]): Violation[] =>
    JSON.stringify(host) === JSON.stringify(catalog)
      ? []
      : [
          {
            kind: 'host says otherwise',
            about: record.id,
            detail: `${name}: host ${JSON.stringify(host)}, catalog ${JSON.stringify(catalog)}`,
          },
        ],
  );
}
