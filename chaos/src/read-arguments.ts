import { parseArgs } from 'node:util';
import type { ChaosOptions } from './run-chaos.js';

export type ChaosArguments = Pick<ChaosOptions, 'seed' | 'seconds' | 'everyMs' | 'uploaders' | 'editors'> & {
  /** Whether logs and history stay also when all went well. */
  keep: boolean;
};

const options = {
  help: { type: 'boolean', default: false },
  seconds: { type: 'string', default: '120' },
  seed: { type: 'string', default: '' },
  every: { type: 'string', default: '3000' },
  uploaders: { type: 'string', default: '8' },
  editors: { type: 'string', default: '3' },
  keep: { type: 'boolean', default: false },
} as const;

export const usage = `npm run chaos -- [options]: faults under load, then the checker. See docs/chaos.md
  --seconds N     how long load and faults last (120)
  --seed N        decides the faults, their times and what each client does (random)
  --every MS      mean distance of two faults (3000)
  --uploaders N   clients that upload (8)
  --editors N     clients that edit (3)
  --keep          keeps logs and history also when all went well
  --help          prints this
`;

/** What the command line asks for; undefined where it asks for help. Throws with what is wrong with it. */
export function readArguments(args: readonly string[]): ChaosArguments | undefined {
  const { values } = parseArgs({ args: [...args], options });
  if (values.help) return undefined;
  const number = (name: 'seconds' | 'seed' | 'every' | 'uploaders' | 'editors', atLeast: number): number => {
    const value = Number(values[name]);
    if (Number.isSafeInteger(value) && value >= atLeast) return value;
    throw new Error(`--${name} must be a whole number, at least ${String(atLeast)}`);
  };
  return {
    seconds: number('seconds', 15),
    seed: values.seed === '' ? Math.floor(Math.random() * 1_000_000) : number('seed', 0),
    everyMs: number('every', 100),
    uploaders: number('uploaders', 1),
    editors: number('editors', 0),
    keep: values.keep,
  };
}
