import { expect, it } from 'vitest';
import { aRecord } from '../testing/index.js';
import { encodeContent, readDuration, readTags } from './record.js';

it.each([null, 0, 12, 63.893313, 1e-7])('reads a duration of %s without the rest', (durationSeconds) => {
  for (const publicId of ['a', 'odd/"name", \\ 1,2,3', '\u007f'])
    expect(readDuration(encodeContent(aRecord({ publicId, durationSeconds })))).toBe(durationSeconds);
});

it.each([[[]], [['sea', '"h,ill"\\']]])('reads the tags %j without the rest', (tags) => {
  expect(readTags(encodeContent(aRecord({ tags })))).toEqual(tags);
});
