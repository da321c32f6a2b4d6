import { describe, expect, it } from 'vitest';
import { aRecord } from '../testing/index.js';
import { carriedFields } from './carried-fields.js';
import { editsOnHostOnly } from './host-edits.js';
import { readHostMetadata, writeHostMetadata, type HostMetadata } from './host-metadata.js';

const written = aRecord({ title: 'A', description: '', category: 'c', tags: ['x', 'y'] });
const asWritten = writeHostMetadata({ mark: { state: 'committed' }, fields: carriedFields(written) });

function edits(metadata: HostMetadata, ours = written) {
  const host = readHostMetadata(metadata)?.fields ?? written;
  return editsOnHostOnly(metadata, host, ours);
}

describe('edits on the host', () => {
  it('are none where nobody edited, whatever the order of the tags', () => {
    expect(edits({ ...asWritten, tags: ['y', 'x'] })).toEqual({});
  });

  it('are told apart from edits here', () => {
    const metadata = { context: { ...asWritten.context, title: 'B', description: 'new' }, tags: [] };
    expect(edits(metadata, { ...written, title: 'Ours' })).toEqual({ description: 'new', tags: [] });
  });

  it('are none where the asset does not tell what we wrote', () => {
    const { hf_base, ...context } = asWritten.context;
    expect(hf_base).toHaveLength(24);
    expect(edits({ context: { ...context, title: 'B' }, tags: [] })).toEqual({});
  });
});
