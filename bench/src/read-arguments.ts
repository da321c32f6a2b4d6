import { parseArgs } from 'node:util';
import type { RowOptions } from './row.js';
import { rowNames, type RowName } from './rows.js';

export interface BenchArguments {
  chosen: readonly RowName[];
  options: RowOptions & { json: boolean };
}

const options = {
  help: { type: 'boolean', default: false },
  large: { type: 'boolean', default: false },
  quick: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
} as const;

export const usage = `npm run bench -- [rows] [options]: measures, prints a table. See docs/performance.md
  rows      ${rowNames.slice(0, 6).join(', ')},
            ${rowNames.slice(6).join(', ')}; all where none is given
  --large   the sizes that the targets are meant for
  --quick   fewer repeats: to see that it works, not to quote
  --json    prints JSON instead
  --help    prints this
`;

/** What the command line asks for; undefined where it asks for help. Throws with what is wrong with it. */
export function readArguments(args: readonly string[]): BenchArguments | undefined {
  const {
    values: { help, ...given },
    positionals,
  } = parseArgs({ args: [...args], allowPositionals: true, options });
  if (help) return undefined;
  const unknown = positionals.filter((name) => !rowNames.some((row) => row === name));
  if (unknown.length > 0) throw new Error(`No row ${unknown.join(', ')}. There are: ${rowNames.join(', ')}`);
  return { chosen: positionals.length === 0 ? rowNames : (positionals as RowName[]), options: given };
}
