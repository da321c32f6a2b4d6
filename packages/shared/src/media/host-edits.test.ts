import { describe, expect, it } from 'vitest';
import { editBase, editsOnHostOnly, type MergeBase } from './host-edits.js';
import {
  readHostMetadata,
  writeHostMetadata,
  type CarriedFields,
  type HostMetadata,
} from './host-metadata.js';

const written: CarriedFields = {
  id: '01J0000000000000000000000A',
  revision: 1,
  filename: 'a.png',
  title: 'A',
  description: '',
  category: 'c',
  tags: ['x', 'y'],
  uploadedBy: 'web',
  createdAt: '2026-01-01T00:00:00.000Z',
  updatedAt: '2026-01-01T00:00:00.000Z',
  source: 'upload',
  checksum: { sha256: null, md5: null },
  durationSeconds: null,
};
const asWritten = writeHostMetadata({ mark: { state: 'committed' }, fields: written });

function edits(metadata: HostMetadata, ours = written, mergeBase: MergeBase | null = null) {
  const host = readHostMetadata(metadata)?.fields ?? written;
  return editsOnHostOnly(metadata, host, ours, mergeBase);
}

describe('edits on the host', () => {
  it('are none without an edit, whatever the order of the tags', () => {
    expect(edits({ ...asWritten, tags: ['y', 'x'] })).toEqual({});
  });

  it('are distinguished from edits here', () => {
    const metadata = { context: { ...asWritten.context, title: 'B', description: 'new' }, tags: [] };
    expect(edits(metadata, { ...written, title: 'Ours' })).toEqual({ description: 'new', tags: [] });
  });

  it('are distinguished from earlier ones, until we wrote the asset again', () => {
    const first = { ...written, title: 'B' };
    const ours = { ...first, category: 'ours', revision: 2 };
    const mergeBase = { revision: 2, base: editBase(first), over: 1 };
    const now = { ...asWritten, context: { ...asWritten.context, title: 'C', category: 'theirs' } };
    expect(edits(now, ours)).toEqual({});
    expect(edits(now, ours, mergeBase)).toEqual({ title: 'C' });
    // What was written since tells more: here the title went back to what came in then.
    const later = { ...ours, title: 'D', revision: 3 };
    const rewritten = writeHostMetadata({ mark: { state: 'committed' }, fields: later });
    expect(edits(rewritten, { ...later, title: 'B', revision: 4 }, mergeBase)).toEqual({});
  });

  it('are none where our own older write landed after they came in', () => {
    const ours = { ...written, title: 'theirs', category: 'ours', revision: 3 };
    const mergeBase = { revision: 3, base: editBase({ ...written, title: 'theirs' }), over: 1 };
    const late = { ...written, category: 'ours', revision: 2 };
    const metadata = writeHostMetadata({ mark: { state: 'committed' }, fields: late });
    expect(edits(metadata, ours, mergeBase)).toEqual({});
    const editedAfter = { ...metadata, context: { ...metadata.context, description: 'new' } };
    expect(edits(editedAfter, ours, mergeBase)).toEqual({ description: 'new' });
  });

  it('are none where the asset does not tell what we wrote', () => {
    const { hf_base, ...context } = asWritten.context;
    expect(hf_base).toHaveLength(24);
    expect(edits({ context: { ...context, title: 'B' }, tags: [] })).toEqual({});
  });
});
