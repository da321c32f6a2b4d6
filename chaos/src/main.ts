/** `npm run chaos -- [--seconds N] [--seed N] [--every MS] [--keep]`: faults under load, then the checker. Exit code 1 on any violation. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { checkRun } from './check/check-run.js';
import { renderReport } from './report.js';
import { runChaos } from './run-chaos.js';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '120' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 1_000_000)) },
    every: { type: 'string', default: '3000' },
    uploaders: { type: 'string', default: '8' },
    editors: { type: 'string', default: '3' },
    keep: { type: 'boolean', default: false },
  },
});
const number = (name: 'seconds' | 'seed' | 'every' | 'uploaders' | 'editors', atLeast: number): number => {
  const value = Number(values[name]);
  if (Number.isSafeInteger(value) && value >= atLeast) return value;
  process.stderr.write(`--${name} must be a whole number, at least ${String(atLeast)}\n`);
  process.exit(2);
};
const [seconds, seed, every] = [number('seconds', 15), number('seed', 0), number('every', 100)];
const [uploaders, editors] = [number('uploaders', 1), number('editors', 0)];
const command = `npm run chaos -- --seconds ${String(seconds)} --seed ${String(seed)} --every ${String(every)} --uploaders ${String(uploaders)} --editors ${String(editors)}`;

const folder = await mkdtemp(join(tmpdir(), 'holdfast-chaos-'));
const say = (line: string): void => void process.stderr.write(`${line}\n`);
say(`${command}\nlogs and history: ${folder}`);
const { result, faults } = await runChaos({
  seed,
  seconds,
  everyMs: every,
  uploaders,
  editors,
  folder,
  say,
  onStage: (stage) => {
    const stopEarly = (): void => void stage.close().finally(() => process.exit(130));
    process.once('SIGINT', stopEarly);
    process.once('SIGTERM', stopEarly);
  },
});
const violations = checkRun(result);
await writeFile(join(folder, 'result.json'), JSON.stringify(result));
const report = `${renderReport(result, violations, faults, command)}\n`;
await new Promise<void>((resolve) => process.stdout.write(report, () => resolve()));
// What a failed run left is needed to understand it.
if (violations.length === 0 && !values.keep) await rm(folder, { recursive: true, force: true });
else say(`kept: ${folder}`);
// All processes are stopped by now; what a fault left of a connection must not keep this one.
process.exit(violations.length === 0 ? 0 : 1);
