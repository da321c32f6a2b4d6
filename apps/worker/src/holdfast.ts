import { explainFailure, toHoldfastError } from '@holdfast/shared/errors';
import { checkConfig } from './commands/check-config.js';
import type { Command } from './commands/command.js';
import { restore } from './commands/restore.js';
import { snapshot } from './commands/snapshot.js';

/** The commands of `npm run holdfast -- <command>`. They use the settings of the processes, and end by themselves. */
const commands: Readonly<Record<string, Command>> = { restore, snapshot, 'check-config': checkConfig };

const [name = ''] = process.argv.slice(2);
const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
if (command === undefined) {
  process.stderr.write(`Unknown command "${name}". There are: ${Object.keys(commands).join(', ')}\n`);
  process.exit(2);
}
const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'])
  process.once(signal, () => interrupted.abort(new Error('interrupted')));

try {
  const { exitCode, report } = await command(process.env, interrupted.signal);
  process.stdout.write(`${JSON.stringify(report)}\n`);
  process.exitCode = exitCode;
} catch (error) {
  process.stderr.write(explainFailure(toHoldfastError(error)));
  process.exitCode = 1;
}
