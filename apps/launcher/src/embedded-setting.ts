import { readSettings, type Environment } from '@holdfast/shared/config';
import { redisFolder } from './embedded-redis/data-folder.js';
import { toldAddress } from './embedded-redis/told-address.js';
import { needsEmbeddedRedis, withoutEmbedded } from './needs-embedded-redis.js';

/** What a command needs beside its settings: where the embedded server is, if none is configured and it runs. */
export function embeddedSetting(env: Environment): Environment {
  const address = needsEmbeddedRedis(env)
    ? toldAddress(redisFolder(readSettings(withoutEmbedded(env)).dataDir))
    : undefined;
  return { HOLDFAST_EMBEDDED_REDIS: address };
}
