/** `npm run bench -- [row …] [--large] [--quick] [--json]`: measures, prints a table, writes nothing else. */
import { cpus } from 'node:os';
import { argumentsOrExit } from '@holdfast/shared/testing';
import { readArguments, usage } from './read-arguments.js';
import { renderTable, type RowResult } from './report.js';
import type { RowOptions } from './row.js';
import { rows, type RowName } from './rows.js';
import { cleanUp, type CleanUp } from './stage/clean-up.js';

let current: CleanUp | undefined;

const stopEarly = (): void => {
  process.stderr.write('stopping\n');
  void current?.run().finally(() => process.exit(130));
};
process.once('SIGINT', stopEarly);
process.once('SIGTERM', stopEarly);

async function measure(row: RowName, options: RowOptions): Promise<RowResult> {
  const start = performance.now();
  process.stderr.write(`measuring ${row}\n`);
  current = cleanUp();
  const seconds = (): number => Math.round((performance.now() - start) / 1_000);
  try {
    const figures = await rows[row](options, current);
    return { row, seconds: seconds(), figures, failure: null };
  } catch (error) {
    const failure = error instanceof Error ? error.message : String(error);
    process.stderr.write(`${row}: ${failure}\n`);
    return { row, seconds: seconds(), figures: [], failure };
  } finally {
    await current.run();
  }
}

const { chosen, options } = argumentsOrExit(readArguments, usage);
const results: RowResult[] = [];
for (const row of chosen) results.push(await measure(row, options));

const machine = `${String(cpus().length)} cores, Node ${process.versions.node}, ${new Date().toISOString().slice(0, 10)}`;
process.stdout.write(
  options.json
    ? `${JSON.stringify({ machine, options, results }, null, 2)}\n`
    : `${machine}\n\n${renderTable(results)}\n`,
);
process.exitCode = results.some(({ failure }) => failure !== null) ? 1 : 0;
