import { existsSync, readFileSync } from 'node:fs';
import { loadEnvFile as loadInto } from 'node:process';
import { fileURLToPath } from 'node:url';
import { explainFailure, HoldfastError } from '@holdfast/shared/errors';

const ENV_FILE = fileURLToPath(new URL('../../../.env', import.meta.url));

/**
 * Reads `.env` of the repository into the environment, unless NODE_ENV is production. What is set already wins. Ends the
 * process where there is one that cannot be read: settings that are not taken would seem to be.
 */
export function loadEnvFile(file = ENV_FILE): void {
  if (process.env['NODE_ENV'] === 'production' || !existsSync(file)) return;
  try {
    // Of a folder Node's own function says only that its argument has the wrong type.
    readFileSync(file);
    loadInto(file);
  } catch (cause) {
    process.stderr.write(
      explainFailure(new HoldfastError('CONFIG_INVALID', `${file} cannot be read`, { cause })),
    );
    process.exit(1);
  }
}
