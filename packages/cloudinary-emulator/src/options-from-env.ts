import type { SeedTemplate } from './assets/seed-template.js';
import { seedTemplateSchema } from './assets/seed-template.js';
import { freePlanLimits } from './settings.js';
import type { EmulatorOptions } from './start-cloudinary-emulator.js';

type Env = Readonly<Record<string, string | undefined>>;

/** The command's options, and what it seeds. Throws an error that names the variable which is wrong. */
export function optionsFromEnv(env: Env): {
  options: EmulatorOptions;
  seed: { count: number; template: SeedTemplate };
} {
  const options: EmulatorOptions = {
    ...text(env, 'EMULATOR_CLOUD_NAME', 'cloudName'),
    ...text(env, 'EMULATOR_API_KEY', 'apiKey'),
    ...text(env, 'EMULATOR_API_SECRET', 'apiSecret'),
    ...text(env, 'EMULATOR_DIRECTORY', 'directory'),
    ...number(env, 'PORT', 'port'),
    ...number(env, 'EMULATOR_RESPONSE_DELAY_MS', 'responseDelayMs'),
    ...number(env, 'EMULATOR_LIST_DELAY_MS', 'listDelayMs'),
    ...number(env, 'EMULATOR_RATE_LIMIT_PER_HOUR', 'rateLimitPerHour'),
    ...number(env, 'EMULATOR_SEARCH_LAG_MS', 'searchLagMs'),
    ...bytesMode(env),
    ...list(env, 'EMULATOR_WEBHOOK_TARGETS', 'webhookTargets'),
    ...(env['EMULATOR_FREE_PLAN'] === 'true' ? { maxBytes: freePlanLimits } : {}),
  };
  return {
    options,
    seed: {
      count: number(env, 'EMULATOR_SEED', 'count').count ?? 0,
      template: seedTemplateSchema.parse(JSON.parse(env['EMULATOR_SEED_TEMPLATE'] ?? '{}')),
    },
  };
}

function text<K extends string>(env: Env, name: string, option: K): { [P in K]?: string } {
  const value = env[name];
  return value === undefined || value === '' ? {} : ({ [option]: value } as { [P in K]?: string });
}

function number<K extends string>(env: Env, name: string, option: K): { [P in K]?: number } {
  const value = env[name];
  if (value === undefined || value === '') return {};
  if (!/^\d+$/.test(value)) throw new Error(`${name} must be a whole number`);
  return { [option]: Number(value) } as { [P in K]?: number };
}

function list<K extends string>(env: Env, name: string, option: K): { [P in K]?: string[] } {
  const value = env[name];
  return value === undefined || value === ''
    ? {}
    : ({ [option]: value.split(',') } as { [P in K]?: string[] });
}

function bytesMode(env: Env): Pick<EmulatorOptions, 'bytes'> {
  const value = env['EMULATOR_BYTES'];
  if (value === undefined || value === '') return {};
  if (value === 'memory' || value === 'disk' || value === 'discard') return { bytes: value };
  throw new Error('EMULATOR_BYTES must be memory, disk or discard');
}
