import { expect, it } from 'vitest';
import { readArguments, usage } from './read-arguments.js';
import { rowNames } from './rows.js';

it('chooses every row where none is named', () => {
  expect(readArguments(['--quick'])).toEqual({
    chosen: rowNames,
    options: { quick: true, large: false, json: false },
  });
  expect(readArguments(['uploads', 'lists'])).toMatchObject({ chosen: ['uploads', 'lists'] });
});

it('asks for nothing but help with --help', () => {
  expect(readArguments(['--help', 'uploads'])).toBeUndefined();
});

it.each([
  { args: ['--bogus'], message: '--bogus' },
  { args: ['--quick=yes'], message: '--quick' },
  { args: ['everything'], message: 'No row everything. There are: uploads, ' },
])('says what is wrong with $args', ({ args, message }) => {
  expect(() => readArguments(args)).toThrow(message);
});

it('names every row and option in the usage', () => {
  for (const name of rowNames) expect(usage).toContain(name);
  for (const name of ['large', 'quick', 'json', 'help']) expect(usage).toContain(`  --${name} `);
});
