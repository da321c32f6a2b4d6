/** `npm run chaos -- [--seconds N] [--seed N] [--every MS] [--keep]`: faults under load, then the checker. Exit code 1 on any violation. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { argumentsOrExit } from '@holdfast/shared/testing';
import { checkRun } from './check/check-run.js';
import { readArguments, usage } from './read-arguments.js';
import { renderReport } from './report.js';
import { runChaos } from './run-chaos.js';

const { seconds, seed, everyMs, uploaders, editors, keep } = argumentsOrExit(readArguments, usage);
const command = `npm run chaos -- --seconds ${String(seconds)} --seed ${String(seed)} --every ${String(everyMs)} --uploaders ${String(uploaders)} --editors ${String(editors)}`;

const folder = await mkdtemp(join(tmpdir(), 'holdfast-chaos-'));
const say = (line: string): void => void process.stderr.write(`${line}\n`);
say(`${command}\nlogs and history: ${folder}`);
const { result, faults } = await runChaos({
  seed,
  seconds,
  everyMs,
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
if (violations.length === 0 && !keep) await rm(folder, { recursive: true, force: true });
else say(`kept: ${folder}`);
// All processes are stopped by now; what a fault left of a connection must not keep this one.
process.exit(violations.length === 0 ? 0 : 1);
