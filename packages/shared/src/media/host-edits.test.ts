import { describe, expect, it } from 'vitest';
import { editBase, editsOnHostOnly, shownText, type MergeBase } from './host-edits.js';
import {
  readHostMetadata,
  writeHostMetadata,
  type Carried,
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

const found = `cld-${'a'.repeat(32)}`;
const carried = (over: Partial<CarriedFields> = {}): Carried => ({
  mark: { state: 'committed' },
  fields: { ...written, description: 'B', category: '', tags: [], ...over },
});
const contextOf = (over?: Partial<CarriedFields>) => writeHostMetadata(carried(over)).context;

/** As version 0.1.0 wrote it, over what was there. */
function contextOf010(over: Partial<CarriedFields> = {}, there: Record<string, string> = {}) {
  const { caption, alt, 'hf-shown': shown, ...context } = contextOf(over);
  void [caption, alt, shown];
  return { ...there, ...context };
}

function titleOf(context: Record<string, string>): string | undefined {
  return readHostMetadata({ context, tags: [] })?.fields.title;
}

describe('the text that the console shows', () => {
  it.each([
    ['plain text', 'Sunset = | "x"', 'Sunset = | "x"'],
    ['lines', ' one\n\ttwo\u2028three ', 'one two three'],
    ['backslashes', String.raw`c:\dir \= \| \\x \ `, 'c:/dir /= /| //x /'],
    ['a text that is too long', 'é'.repeat(300), 'é'.repeat(255)],
    ['half a character at the end', `${'a'.repeat(254)}🌊b`, 'a'.repeat(254)],
    ['nothing visible', '\n\t', ''],
  ])('of %s', (_case, text, shown) => {
    expect(shownText(text)).toBe(shown);
  });
});

describe('a title with our mark', () => {
  it('is beside our own key where the console shows it, and so is the description', () => {
    expect(contextOf()).toMatchObject({ title: 'A', caption: 'A', description: 'B', alt: 'B' });
    expect(contextOf({ title: '' })).not.toHaveProperty('caption');
  });

  it.each([
    ['changed in the console', { caption: 'C' }, 'C'],
    ['changed under our own key', { title: 'C' }, 'C'],
    ['changed to the same under both', { title: 'C', caption: 'C' }, 'C'],
    ['changed under both: the console shows which', { title: 'D', caption: 'C' }, 'C'],
    ['not changed', {}, 'A'],
  ])('is what it was %s', (_case, edit, title) => {
    expect(titleOf({ ...contextOf(), ...edit })).toBe(title);
  });

  it.each(['caption', 'title'])('is empty once the key %s was removed', (key) => {
    const { [key]: _removed, ...context } = contextOf();
    expect(titleOf(context)).toBe('');
  });

  it.each([
    ['too long to be shown', 'long '.repeat(100).trim()],
    ['of several lines', 'one\ntwo'],
    ['of what the console cannot show', '\n\\'],
    ['with a backslash', String.raw`a\b`],
  ])('comes back whole where it is %s', (_case, title) => {
    expect(titleOf(contextOf({ title }))).toBe(title);
    expect(titleOf({ ...contextOf({ title }), caption: 'C' })).toBe('C');
  });

  it('stays as the console has it where that says the same', () => {
    const long = 'x'.repeat(800);
    const there = { ...contextOf(), caption: long };
    expect(writeHostMetadata(carried({ title: long }), { context: there }).context['caption']).toBe(long);
    expect(writeHostMetadata(carried({ title: 'new' }), { context: there }).context['caption']).toBe('new');
  });
});

describe('what others wrote for the console', () => {
  it('stays until the field is edited here', () => {
    const there = { title: 'theirs', caption: 'shown', alt: 'x'.repeat(800) };
    const unedited = carried({ id: found, title: 'theirs', description: there.alt, category: 'new' });
    const { context } = writeHostMetadata(unedited, { context: there });
    expect(context).toMatchObject(there);
    expect(readHostMetadata({ context, tags: [] })?.fields).toEqual(unedited.fields);
    expect(titleOf({ ...context, caption: 'edited' })).toBe('edited');
    const edited = writeHostMetadata(carried({ id: found, title: 'ours' }), { context: there }).context;
    expect(edited).toMatchObject({ title: 'ours', caption: 'ours' });
  });
});

describe('an asset that version 0.1.0 wrote', () => {
  it('has its title although the console shows none', () => {
    expect(titleOf(contextOf010())).toBe('A');
    expect(titleOf(contextOf010({ title: 'one\ntwo' }))).toBe('one\ntwo');
  });

  it('adopts a title that was added in the console, but not one that a foreign asset had before', () => {
    expect(titleOf(contextOf010({}, { caption: 'C' }))).toBe('C');
    expect(titleOf({ ...contextOf010({}, { caption: 'C' }), title: 'D' })).toBe('D');
    expect(titleOf(contextOf010({ id: found }, { caption: 'C' }))).toBe('A');
    expect(titleOf(contextOf010({ id: found, title: '' }, { caption: 'C' }))).toBe('C');
  });

  it('keeps a text that the console shows cut, also where the print of it was removed', () => {
    for (const title of ['long '.repeat(100).trim(), 'one\ntwo']) {
      const { 'hf-shown': _removed, ...context } = contextOf({ title });
      expect(titleOf(context)).toBe(title);
    }
  });

  it('shows the title once it is written again', () => {
    const there = contextOf010({ id: found }, { caption: 'old' });
    const { context } = writeHostMetadata(carried({ id: found, category: 'new' }), { context: there });
    expect(context).toMatchObject({ title: 'A', caption: 'A' });
  });

  it('keeps an edit that 0.1.0 made over ours while both versions run', () => {
    const { caption, alt, 'hf-shown': shown } = contextOf();
    const there = { caption, alt, 'hf-shown': shown } as Record<string, string>;
    expect(titleOf(contextOf010({ title: 'newer', revision: 2 }, there))).toBe('newer');
  });

  it('keeps a text with a backslash although 0.1.0 deletes every other key that has one', () => {
    const title = String.raw`c:\dir`;
    const { caption, alt, 'hf-shown': shown } = contextOf({ title });
    const there = Object.entries({ caption, alt, 'hf-shown': shown } as Record<string, string>);
    const kept = Object.fromEntries(there.filter(([, value]) => !value.includes('\\')));
    expect(titleOf(contextOf010({ title, description: 'new', revision: 2 }, kept))).toBe(title);
  });
});
