import { expect, it } from 'vitest';
import { mediaFieldRules, parseMediaFields } from './media-fields.js';

it('gives every field a value, and ignores parts that are not ours', () => {
  expect(parseMediaFields({ csrf: 'x' })).toEqual({ title: '', description: '', category: '', tags: [] });
});

it.each([
  ['a,b', ['a', 'b']],
  [' a , b ,, a', ['a', 'b']],
  [
    ['a', 'b,c'],
    ['a', 'b', 'c'],
  ],
  ['', []],
])('reads the tags %j', (tags, expected) => expect(parseMediaFields({ tags }).tags).toEqual(expected));

it.each([
  [{ title: 'x'.repeat(501) }, 'title'],
  [{ title: ['a', 'b'] }, 'title'],
  [{ category: 'x'.repeat(101) }, 'category'],
  [{ description: 'x'.repeat(5_001) }, 'description'],
  [{ tags: `a,${'x'.repeat(101)}` }, 'tags.1'],
  [{ tags: Array.from({ length: 51 }, (_, n) => String(n)).join(',') }, 'tags'],
  [{ title: 'a\0' }, 'title'],
])('refuses %.40j', (parts, path) => {
  expect(() => parseMediaFields(parts)).toThrow(
    expect.objectContaining({ code: 'INVALID_REQUEST', errors: [expect.objectContaining({ path })] }),
  );
});

it('counts a line break as one character, and keeps it as it came', () => {
  const description = 'x\r\n'.repeat(2_500);
  expect(parseMediaFields({ description })).toMatchObject({ description });
});

it('names one problem of a hundred thousand wrong tags', () => {
  const { tags } = mediaFieldRules;
  const { error } = tags.safeParse(Array.from({ length: 100_000 }, () => 1));
  expect(error?.issues.map(({ message }) => message)).toEqual(['must be at most 50']);
  expect(tags.parse(Array.from({ length: 1_000 }, () => 'a'))).toEqual(['a']);
});
