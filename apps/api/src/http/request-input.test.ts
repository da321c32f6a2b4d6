import { expect, it } from 'vitest';
import { z } from 'zod';
import { isHoldfastError, type FieldProblem } from '@holdfast/foundation/errors';
import { parseInput } from './request-input.js';

const schema = z.strictObject({ tags: z.array(z.string()) });

function problemsOf(input: unknown): readonly FieldProblem[] {
  try {
    parseInput(schema, input, 'the body is not valid');
    return [];
  } catch (error) {
    if (isHoldfastError(error, 'INVALID_REQUEST')) return error.errors ?? [];
    throw error;
  }
}

it('names each problem by its field', () => {
  expect(problemsOf({ tags: ['a', 1], colour: 'red' })).toEqual([
    { path: 'tags.1', message: expect.any(String) as string },
    { path: 'colour', message: 'is unknown' },
  ]);
});

it.each([
  ['wrong entries', { tags: Array.from({ length: 50_000 }, () => 1) }],
  [
    'unknown fields',
    { tags: [], ...Object.fromEntries(Array.from({ length: 5_000 }, (_, n) => [`x${String(n)}`, 1])) },
  ],
])('names the first of thousands of %s, and how many more there are', (_what, input) => {
  const problems = problemsOf(input);
  expect(problems).toHaveLength(21);
  expect(problems.at(-1)?.message).toMatch(/^and \d+ more problems$/);
});

it.each([
  ['tag', 'tags'],
  ['Tags', 'tags'],
  ['tag_list', undefined],
  ['t', undefined],
])('asks whether %s was meant to be %s', (name, meant) => {
  const message = meant === undefined ? 'is unknown' : `is unknown; did you mean ${meant}?`;
  expect(problemsOf({ tags: [], [name]: 'x' })).toEqual([{ path: name, message }]);
});

it('repeats no more of a name than its beginning', () => {
  expect(problemsOf({ tags: [], ['x'.repeat(90_000)]: 1 })[0]?.path).toBe('x'.repeat(100));
});
