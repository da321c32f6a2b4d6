/** `npm run interleave -- [--seed N] [--cases N] [--all] [--replay CASE]`. Exit code 1 on any violation. */
import { parseArgs } from 'node:util';
import { argumentsOrExit, createRandom, startRedisSandbox } from '@holdfast/shared/testing';
import { allCases, parseCase, someCases } from './plan.js';
import { nameOf, runCase, type Case } from './run-case.js';

const usage = `npm run interleave -- [options]: two operations on one file at every point where they can meet. See docs/interleave.md
  --cases N       how many cases, drawn at random (500)
  --seed N        decides which (random)
  --all           every case there is, in order; takes about an hour
  --match TEXT    only those with this in their name, with --all
  --replay CASE   this one, as a failed run names it: verified/editTitle@7+delete
  --help          prints this
`;

function readArguments(args: readonly string[]) {
  const { values } = parseArgs({
    args: [...args],
    options: {
      cases: { type: 'string', default: '500' },
      seed: { type: 'string', default: '' },
      all: { type: 'boolean', default: false },
      match: { type: 'string', default: '' },
      replay: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return undefined;
  const replay = values.replay === undefined ? undefined : parseCase(values.replay);
  if (replay === null) throw new Error('--replay must be a case, such as verified/editTitle@7+delete');
  const cases = Number(values.cases);
  if (!Number.isSafeInteger(cases) || cases < 1)
    throw new Error('--cases must be a whole number, at least 1');
  const seed = values.seed === '' ? Math.floor(Math.random() * 1e6) : Number(values.seed);
  if (!Number.isSafeInteger(seed) || seed < 0) throw new Error('--seed must be a whole number, at least 0');
  return { replay, cases, seed, all: values.all, match: values.match };
}

const { replay, cases: count, seed, all, match } = argumentsOrExit(readArguments, usage);
const say = (line: string): void => void process.stdout.write(`${line}\n`);
const sandbox = await startRedisSandbox();
let cases: Case[];
if (replay !== undefined) cases = [replay];
else if (all) cases = (await allCases(sandbox)).filter((one) => nameOf(one).includes(match));
else {
  say(`npm run interleave -- --seed ${String(seed)} --cases ${String(count)}`);
  cases = someCases(createRandom(seed), count);
}

let failed = 0;
for (const [index, one] of cases.entries()) {
  const violations = await runCase(sandbox, one).catch((error: unknown) => [
    `could not be run: ${String(error)}`,
  ]);
  if (violations.length > 0) {
    failed += 1;
    say(`${nameOf(one)}\n${violations.map((line) => `  ${line}`).join('\n')}`);
  } else if ((index + 1) % 100 === 0) say(`${String(index + 1)} of ${String(cases.length)}`);
}
await sandbox.close();
say(`${String(cases.length - failed)} passed, ${String(failed)} failed`);
process.exit(failed === 0 ? 0 : 1);
