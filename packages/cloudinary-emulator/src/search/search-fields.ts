import type { Asset } from '../assets/asset.js';

/** A field that expressions and sorting know; times are unix seconds. */
export type SearchField =
  | { kind: 'text'; value: (asset: Asset) => string | null }
  | { kind: 'list'; value: (asset: Asset) => readonly string[] }
  | { kind: 'number' | 'time'; value: (asset: Asset) => number | null };

const lastUpdated: SearchField = { kind: 'time', value: (asset) => asset.updatedAt };

const fields: Record<string, SearchField> = {
  public_id: { kind: 'text', value: (asset) => asset.publicId },
  asset_id: { kind: 'text', value: (asset) => asset.assetId },
  resource_type: { kind: 'text', value: (asset) => asset.resourceType },
  type: { kind: 'text', value: (asset) => asset.type },
  format: { kind: 'text', value: (asset) => asset.format },
  filename: { kind: 'text', value: (asset) => asset.publicId.slice(asset.publicId.lastIndexOf('/') + 1) },
  display_name: { kind: 'text', value: (asset) => asset.displayName },
  asset_folder: { kind: 'text', value: (asset) => asset.assetFolder },
  folder: {
    kind: 'text',
    value: (asset) => asset.publicId.slice(0, Math.max(asset.publicId.lastIndexOf('/'), 0)),
  },
  status: { kind: 'text', value: () => 'active' },
  tags: { kind: 'list', value: (asset) => asset.tags },
  context: { kind: 'list', value: (asset) => Object.keys(asset.context) },
  bytes: { kind: 'number', value: (asset) => asset.bytes },
  width: { kind: 'number', value: (asset) => asset.width },
  height: { kind: 'number', value: (asset) => asset.height },
  duration: { kind: 'number', value: (asset) => asset.duration },
  version: { kind: 'number', value: (asset) => asset.version },
  created_at: { kind: 'time', value: (asset) => asset.createdAt },
  uploaded_at: { kind: 'time', value: (asset) => asset.uploadedAt },
  last_updated: lastUpdated,
  updated_at: lastUpdated,
  'last_updated.updated_at': lastUpdated,
};

/** The field of a name, null for one that search does not know (which then matches nothing). */
export function searchField(name: string, settings: { searchKnowsLastUpdated: boolean }): SearchField | null {
  const [group, ...rest] = name.split('.');
  const key = rest.join('.');
  if (group === 'context' && key !== '') return { kind: 'text', value: (asset) => own(asset.context, key) };
  if (group === 'metadata' && key !== '') return { kind: 'text', value: (asset) => own(asset.metadata, key) };
  const field = Object.hasOwn(fields, name) ? (fields[name] ?? null) : null;
  return field === lastUpdated && !settings.searchKnowsLastUpdated ? null : field;
}

function own(pairs: Readonly<Record<string, unknown>>, key: string): string | null {
  return Object.hasOwn(pairs, key) ? String(pairs[key]) : null;
}
