import { existsSync, readFileSync } from 'node:fs';
import { loadEnvFile as loadInto } from 'node:process';
import { fileURLToPath } from 'node:url';
import { type Environment, readSettings } from '@holdfast/foundation/config';
import { explainFailure, HoldfastError } from '@holdfast/foundation/errors';
import { redisFolder } from './data-folder.js';
import { reachServer } from './embedded-redis.js';

const ENV_FILE = fileURLToPath(new URL('../../../.env', import.meta.url));

/**
 * Reads `.env` of the repository into the environment, unless NODE_ENV is production. Variables that are set already win.
 * Ends the process if the file cannot be read: its settings would seem to be in force.
 */
export function loadEnvFile(file = ENV_FILE): void {
  if (process.env['NODE_ENV'] === 'production' || !existsSync(file)) return;
  try {
    // For a folder, Node's own function reports only that its argument has the wrong type.
    readFileSync(file);
    loadInto(file);
  } catch (cause) {
    process.stderr.write(
      explainFailure(new HoldfastError('CONFIG_INVALID', `${file} cannot be read`, { cause })),
    );
    process.exit(1);
  }
}

/** The address of the embedded server for a command, if no Redis is configured and the server runs. */
export async function embeddedSetting(env: Environment): Promise<Environment> {
  const address = needsEmbeddedRedis(env)
    ? await reachServer(redisFolder(readSettings(withoutEmbedded(env)).dataDir))
    : undefined;
  return { HOLDFAST_EMBEDDED_REDIS: address };
}

/** Whether `npm start` needs an embedded Redis. False for invalid settings too: then nothing starts. */
export function needsEmbeddedRedis(env: Environment): boolean {
  try {
    return !readSettings(withoutEmbedded(env)).redis.external;
  } catch {
    return false;
  }
}

/** Only the launcher decides where the embedded server is. A value from outside could point to another server. */
export function withoutEmbedded(env: Environment): Environment {
  return { ...env, HOLDFAST_EMBEDDED_REDIS: undefined };
}
