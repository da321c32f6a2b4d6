import { checkConfig } from './commands/check-config.js';
import { move } from './commands/move.js';
import { rebuildIndexes, restore, snapshot } from './commands/catalog-commands.js';
import { runCommand, type Commands } from './commands/run-command.js';
import { doctor } from './doctor/run-doctor.js';

/** The commands of `npm run holdfast -- <command>`. They use the settings of the processes, and end by themselves. */
const commands: Commands = {
  'check-config': checkConfig,
  doctor,
  move,
  'rebuild-indexes': rebuildIndexes,
  restore,
  snapshot,
};

const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'])
  process.once(signal, () => interrupted.abort(new Error('interrupted')));

process.exitCode = await runCommand(commands, process.argv.slice(2), process, interrupted.signal);
