import { existsSync } from 'node:fs';
import { loadEnvFile as loadInto } from 'node:process';
import { fileURLToPath } from 'node:url';

const ENV_FILE = fileURLToPath(new URL('../../../.env', import.meta.url));

/** Reads `.env` of the repository into the environment, unless NODE_ENV is production. What is set already wins. */
export function loadEnvFile(): void {
  if (process.env['NODE_ENV'] !== 'production' && existsSync(ENV_FILE)) loadInto(ENV_FILE);
}
