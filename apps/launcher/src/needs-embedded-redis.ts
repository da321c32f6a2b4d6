import { readSettings, type Environment } from '@holdfast/shared/config';

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
