import { expect, it } from 'vitest';
import { readArguments, usage } from './read-arguments.js';

it('takes what docs/chaos.md says where nothing is given, with a seed by chance', () => {
  expect(readArguments([])).toEqual({
    seconds: 120,
    seed: expect.any(Number) as number,
    everyMs: 3_000,
    uploaders: 8,
    editors: 3,
    keep: false,
  });
  expect(readArguments(['--seed', '7'])).toMatchObject({ seed: 7 });
});

it('asks for nothing but help with --help', () => {
  expect(readArguments(['--help'])).toBeUndefined();
});

it.each([
  { args: ['--bogus'], message: '--bogus' },
  { args: ['everything'], message: 'everything' },
  { args: ['--seconds'], message: '--seconds' },
  { args: ['--seconds', '3'], message: '--seconds must be a whole number, at least 15' },
  { args: ['--seed', 'x'], message: '--seed must be a whole number, at least 0' },
])('says what is wrong with $args', ({ args, message }) => {
  expect(() => readArguments(args)).toThrow(message);
});

it('names every option in the usage', () => {
  for (const name of ['seconds', 'seed', 'every', 'uploaders', 'editors', 'keep', 'help'])
    expect(usage).toContain(`  --${name} `);
});
