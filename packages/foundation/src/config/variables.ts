import { z } from 'zod';

/** The process environment, or a part of it in tests. */
export type Environment = Readonly<Record<string, string | undefined>>;

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

/**
 * Every variable that Holdfast reads, with its default and its bounds: the one table of settings. Each message is a sentence
 * whose subject is the variable. It never repeats a value, which may be a secret.
 */
export const variables = z.object({
  // As in an address: [::1].
  HOST: text('127.0.0.1').transform((host) => host.replace(/^\[(.*)\]$/, '$1')),
  PORT: wholeNumber(3000, 0, 65_535),
  PUBLIC_URL: z
    .url({ protocol: /^https?$/, error: 'must be an http or https URL' })
    // The addresses of files begin with it, and everybody who may read sees those.
    .refine((value) => !/[@?#]/.test(value), 'must have no login, query or fragment')
    .optional(),
  DATA_DIR: text('data'),
  LOG_LEVEL: oneOf(['debug', 'info', 'warn', 'error', 'silent']).default('info'),
  LOG_FORMAT: oneOf(['json', 'pretty']).default('json'),
  SHUTDOWN_TIMEOUT_SECONDS: wholeNumber(20, 1, 600),

  API_KEYS: filledList([]),
  ALLOW_ANONYMOUS: flag(false),
  PUBLIC_READ: flag(false),
  CORS_ORIGINS: list([]),
  TRUST_PROXY: text('false'),
  RATE_LIMIT_PER_MINUTE: wholeNumber(0, 0, 1_000_000),

  REDIS_URL: optionalText(),
  UPSTASH_REDIS_REST_URL: optionalText(),
  UPSTASH_REDIS_REST_TOKEN: optionalText(),
  REDIS_SENTINELS: list([]),
  REDIS_SENTINEL_NAME: optionalText(),
  REDIS_SENTINEL_USERNAME: optionalText(),
  REDIS_SENTINEL_PASSWORD: optionalText(),
  REDIS_CLUSTER_NODES: list([]),
  REDIS_PREFIX: z
    .string()
    .trim()
    .regex(/^[A-Za-z0-9_.-]{1,64}$/, 'must be 1-64 letters, digits, dots, dashes or underscores')
    .default('holdfast'),
  REDIS_TLS_CA: optionalText(),
  REDIS_TLS_VERIFY: flag(true),
  REDIS_PROFILE: oneOf(redisProfileNames).optional(),
  /** The address of the embedded server, which the launcher sets for its children. */
  HOLDFAST_EMBEDDED_REDIS: optionalText(),

  CLOUDINARY_URL: optionalText(),
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
  CLOUDINARY_WEBHOOK_SECRETS: list([]),
  /** Read only by the command `move`. */
  MOVE_FROM_CLOUDINARY_URL: optionalText(),

  UPLOAD_MAX_BYTES: wholeNumber(100 * MB, 1, 100_000 * MB),
  UPLOAD_MAX_CONCURRENT: wholeNumber(128, 1, 10_000),
  QUEUE_MAX_BACKLOG: wholeNumber(100_000, 1, 10_000_000),
  UPLOAD_ALLOWED_TYPES: filledList(['image/*', 'video/*', 'audio/*', 'application/pdf']),

  SAVE_ATTEMPTS: wholeNumber(3, 1, 100),
  SAVE_BACKOFF_MS: wholeNumber(1_000, 1, 600_000),
  DURABILITY_REQUIRED: oneOf(durabilityLevels).optional(),
  DURABILITY_REPLICAS: wholeNumber(-1, 0, 100),

  AUTO_SYNC_INTERVAL_MINUTES: wholeNumber(15, 0, 10_080),
  AUTO_SYNC_ON_STARTUP: flag(true),
  AUTO_SYNC_STARTUP_DELAY_SECONDS: wholeNumber(30, 0, 3_600),
  AUTO_SYNC_AFTER_UPLOAD_DELAY_SECONDS: wholeNumber(-1, 0, 3_600),
  AUTO_SYNC_FULL_INTERVAL_HOURS: wholeNumber(24, 1, 8_760),
  CATALOG_SNAPSHOT: flag(true),

  WORKER_CONCURRENCY: wholeNumber(16, 1, 1_000),
  WORKER_PORT: wholeNumber(-1, 0, 65_535),
});

export type Variables = z.infer<typeof variables>;

// Readers of single variables. An empty variable counts as unset, as in most deployment consoles.

function text(fallback: string) {
  return z.string().trim().default(fallback);
}

function optionalText() {
  return z.string().trim().optional();
}

function oneOf<const Word extends string>(words: readonly [Word, ...Word[]]) {
  return z.enum(words, `must be one of ${words.join(', ')}`);
}

function wholeNumber(fallback: number, min: number, max: number) {
  return z
    .string()
    .trim()
    .refine(
      (value) => /^\d+$/.test(value) && Number(value) >= min && Number(value) <= max,
      `must be a whole number from ${String(min)} to ${String(max)}`,
    )
    .transform(Number)
    .default(fallback);
}

function flag(fallback: boolean) {
  return z
    .string()
    .trim()
    .toLowerCase()
    .pipe(z.enum(['true', 'false', '1', '0', 'yes', 'no'], 'must be true or false'))
    .transform((value) => value === 'true' || value === '1' || value === 'yes')
    .default(fallback);
}

function list(fallback: readonly string[]) {
  return entries().default([...fallback]);
}

/** For lists of which none means everything or nothing: `$A,$B` whose parts are not set must not count as empty. */
function filledList(fallback: readonly string[]) {
  return entries()
    .refine((given) => given.length > 0, 'must have at least one entry')
    .default([...fallback]);
}

function entries() {
  return z.string().transform((value) =>
    value
      .split(',')
      .map((entry) => entry.trim())
      .filter((entry) => entry !== ''),
  );
}

/** Drops empty variables, so that `NAME=` means the same as no NAME. */
export function withoutEmpty(env: Environment): Record<string, string> {
  const result: Record<string, string> = {};
  for (const [name, value] of Object.entries(env)) {
    if (value !== undefined && value.trim() !== '') result[name] = value;
  }
  return result;
}

/** The URL, or null if the text is not a URL. */
export function parseUrl(value: string): URL | null {
  return URL.canParse(value) ? new URL(value) : null;
}
