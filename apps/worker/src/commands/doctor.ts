import { readSettings } from '@holdfast/foundation/config';
import { createLogger } from '@holdfast/foundation/logging';
import { reportText, runDoctor } from '../doctor/run-doctor.js';
import type { Command } from './run-command.js';

export const doctor: Command = {
  summary: 'try everything that Holdfast assumes of this machine, its Redis and its media host',
  details: [
    'Puts a few test files named <CLOUDINARY_FOLDER>/doctor-test-... there and removes them again; touches no other file.',
    'Makes at most 20 calls of the Admin API and takes about half a minute. Safe beside a running deployment.',
    'Exit code 0: all is well, or Holdfast copes with what differs (note). 1: something is wrong (ERROR).',
  ].join('\n'),
  run: async (env, _args, signal) => {
    const settings = readSettings(env);
    const diagnosis = await runDoctor({
      settings,
      env,
      // The report says what a log would.
      log: createLogger({ ...settings.log, level: 'silent' }, {}, 'stderr'),
      signal,
      ...(process.stderr.isTTY ? { progress: showProgress } : {}),
    });
    if (process.stderr.isTTY) showProgress('');
    const { rows, interrupted } = diagnosis;
    const isWell = !interrupted && rows.every(({ severity }) => severity !== 'error');
    return {
      exitCode: isWell ? 0 : 1,
      report: { well: isWell, host: settings.host.kind, folder: settings.host.folder, ...diagnosis },
      text: reportText(diagnosis),
    };
  },
};

/** One line that the next one replaces. */
function showProgress(name: string): void {
  process.stderr.write(`\r\u001B[K${name === '' ? '' : `${name} ...`}`);
}
