import { z } from 'zod';
import { readApiKey, readOrigin, readTrustProxy } from './access-settings.js';
import { readCloudinaryUrl, readWebhookSecret } from './host-settings.js';
import {
  filledList,
  flag,
  list,
  oneOf,
  optionalText,
  parsed,
  text,
  unusable,
  wholeNumber,
} from './read-variable.js';
import { readAuthorities, readNode, readRedisUrl, readUpstashHost } from './redis-settings.js';

/** What a server can confirm of a write, from weak to strong. */
export const durabilityLevels = ['written', 'fsynced', 'replicated'] as const;
/** written: the server accepted it; fsynced: it is on its disk; replicated: enough replicas have it. */
export type DurabilityLevel = (typeof durabilityLevels)[number];

/** Whether less was confirmed than is required; without a requirement every level suffices. */
export function isBelow(level: DurabilityLevel, required: DurabilityLevel | undefined): boolean {
  return required !== undefined && durabilityLevels.indexOf(level) < durabilityLevels.indexOf(required);
}

const MB = 1_000_000;

/** Kinds of Redis server that are treated differently; `redisProfiles` of the redis feature says how. */
const redisProfileNames = ['standard', 'upstash'] as const;
export type RedisProfileName = (typeof redisProfileNames)[number];

/** Every variable that Holdfast reads, with its default and its bounds: the one table of settings. */
export const variables = z.object({
  // As in an address: [::1].
  HOST: text('127.0.0.1').transform((host) => host.replace(/^\[(.*)\]$/, '$1')),
  PORT: wholeNumber(0, 65_535).default(3000),
  PUBLIC_URL: z
    .url({ protocol: /^https?$/, error: 'must be an http or https URL' })
    // The addresses of files begin with it, and everybody who may read sees those.
    .refine((value) => !/[@?#]/.test(value), 'must have no login, query or fragment')
    .transform((value) => value.replace(/\/+$/, ''))
    .optional(),
  DATA_DIR: text('data'),
  LOG_LEVEL: oneOf(['debug', 'info', 'warn', 'error', 'silent']).default('info'),
  LOG_FORMAT: oneOf(['json', 'pretty']).default('json'),
  SHUTDOWN_TIMEOUT_SECONDS: wholeNumber(1, 600).default(20),

  API_KEYS: filledList(readApiKey),
  ALLOW_ANONYMOUS: flag(false),
  PUBLIC_READ: flag(false),
  CORS_ORIGINS: list(readOrigin),
  TRUST_PROXY: parsed(readTrustProxy).default(false),
  RATE_LIMIT_PER_MINUTE: wholeNumber(0, 1_000_000).default(0),

  REDIS_URL: parsed(readRedisUrl).optional(),
  UPSTASH_REDIS_REST_URL: parsed(readUpstashHost).optional(),
  UPSTASH_REDIS_REST_TOKEN: optionalText(),
  REDIS_SENTINELS: filledList(readNode),
  REDIS_SENTINEL_NAME: optionalText(),
  REDIS_SENTINEL_USERNAME: optionalText(),
  REDIS_SENTINEL_PASSWORD: optionalText(),
  REDIS_CLUSTER_NODES: filledList(readNode),
  REDIS_PREFIX: z
    .string()
    .trim()
    .regex(/^[A-Za-z0-9_.-]{1,64}$/, 'must be 1-64 letters, digits, dots, dashes or underscores')
    .default('holdfast'),
  REDIS_TLS_CA: parsed(readAuthorities).optional(),
  REDIS_TLS_VERIFY: flag(true),
  REDIS_PROFILE: oneOf(redisProfileNames).optional(),
  /** The address of the embedded server, which the launcher sets for its children. */
  HOLDFAST_EMBEDDED_REDIS: parsed(readRedisUrl).optional(),

  CLOUDINARY_URL: parsed(readCloudinaryUrl).optional(),
  CLOUDINARY_CLOUD_NAME: optionalText(),
  CLOUDINARY_API_KEY: optionalText(),
  CLOUDINARY_API_SECRET: optionalText(),
  CLOUDINARY_FOLDER: z
    .string()
    .trim()
    .regex(
      /^[A-Za-z0-9_-]+(\/[A-Za-z0-9_-]+)*$/,
      'must be folder names of letters, digits, - and _, separated by /',
    )
    .max(100, 'must have at most 100 characters')
    .default('holdfast'),
  CLOUDINARY_SYNC_PREFIX: text(''),
  CLOUDINARY_WEBHOOK_SECRETS: list(readWebhookSecret),
  /** Read only by the command `move`. */
  MOVE_FROM_CLOUDINARY_URL: parsed(readCloudinaryUrl).optional(),

  UPLOAD_MAX_BYTES: wholeNumber(1, 100_000 * MB).default(100 * MB),
  UPLOAD_MAX_CONCURRENT: wholeNumber(1, 10_000).default(128),
  QUEUE_MAX_BACKLOG: wholeNumber(1, 10_000_000).default(100_000),
  UPLOAD_ALLOWED_TYPES: filledList(readMediaType, ['image/*', 'video/*', 'audio/*', 'application/pdf']),

  SAVE_ATTEMPTS: wholeNumber(1, 100).default(3),
  SAVE_BACKOFF_MS: wholeNumber(1, 600_000).default(1_000),
  DURABILITY_REQUIRED: oneOf(durabilityLevels).optional(),
  DURABILITY_REPLICAS: wholeNumber(0, 100).optional(),

  AUTO_SYNC_INTERVAL_MINUTES: wholeNumber(0, 10_080).default(15),
  AUTO_SYNC_ON_STARTUP: flag(true),
  AUTO_SYNC_STARTUP_DELAY_SECONDS: wholeNumber(0, 3_600).default(30),
  AUTO_SYNC_AFTER_UPLOAD_DELAY_SECONDS: wholeNumber(0, 3_600).optional(),
  AUTO_SYNC_FULL_INTERVAL_HOURS: wholeNumber(1, 8_760).default(24),
  CATALOG_SNAPSHOT: flag(true),

  WORKER_CONCURRENCY: wholeNumber(1, 1_000).default(16),
  WORKER_PORT: wholeNumber(0, 65_535).optional(),
});

export type Variables = z.infer<typeof variables>;
/** Whether a variable is set, also where it cannot be read. */
export type IsSet = (name: keyof Variables) => boolean;
/** Notes a problem of a variable. */
export type Report = (name: keyof Variables, message: string) => void;

function readMediaType(type: string): string {
  if (/^(\*\/\*|[a-z]+\/(\*|[a-z0-9.+-]+))$/.test(type)) return type;
  throw unusable('must be a media type such as image/png or image/*');
}
