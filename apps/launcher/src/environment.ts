import { existsSync, readFileSync } from 'node:fs';
import { loadEnvFile as loadInto } from 'node:process';
import { fileURLToPath } from 'node:url';
import { type Environment, readSettings } from '@holdfast/foundation/config';
import { explainFailure, HoldfastError } from '@holdfast/foundation/errors';
import { redisFolder } from './embedded-redis/data-folder.js';
import { knownAddress } from './embedded-redis/redis-server.js';

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

/** What a command needs beside its settings: where the embedded server is, if none is configured and it runs. */
export function embeddedSetting(env: Environment): Environment {
  const address = needsEmbeddedRedis(env)
    ? knownAddress(redisFolder(readSettings(withoutEmbedded(env)).dataDir))
    : undefined;
  return { HOLDFAST_EMBEDDED_REDIS: address };
}

/** Whether `npm start` has to bring a Redis of its own; false also where the settings are wrong and it will not start. */
export function needsEmbeddedRedis(env: Environment): boolean {
  try {
    return !readSettings(withoutEmbedded(env)).redis.external;
  } catch {
    return false;
  }
}

/** The launcher alone decides where the embedded server is; a value from outside would point to a stranger's. */
export function withoutEmbedded(env: Environment): Environment {
  return { ...env, HOLDFAST_EMBEDDED_REDIS: undefined };
}
