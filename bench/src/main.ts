/** `npm run bench -- [row …] [--large] [--quick] [--json]`: measures, prints a table, writes nothing else. */
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { renderTable, type RowResult } from './report.js';
import type { RowOptions } from './row.js';
import { rowNames, rows, type RowName } from './rows.js';
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

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    large: { type: 'boolean', default: false },
    quick: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});
const unknown = positionals.filter((name) => !Object.hasOwn(rows, name));
if (unknown.length > 0) {
  process.stderr.write(`No row ${unknown.join(', ')}. There are: ${rowNames.join(', ')}\n`);
  process.exit(2);
}

const chosen = positionals.length === 0 ? rowNames : (positionals as RowName[]);
const results: RowResult[] = [];
for (const row of chosen) results.push(await measure(row, values));

const machine = `${String(cpus().length)} cores, Node ${process.versions.node}, ${new Date().toISOString().slice(0, 10)}`;
process.stdout.write(
  values.json
    ? `${JSON.stringify({ machine, options: values, results }, null, 2)}\n`
    : `${machine}\n\n${renderTable(results)}\n`,
);
process.exitCode = results.some(({ failure }) => failure !== null) ? 1 : 0;
