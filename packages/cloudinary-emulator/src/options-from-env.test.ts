import { expect, test } from 'vitest';
import { optionsFromEnv } from './options-from-env.js';

test('reads options and seed from the environment', () => {
  const read = optionsFromEnv({
    PORT: '4000',
    EMULATOR_CLOUD_NAME: 'c',
    EMULATOR_BYTES: 'discard',
    EMULATOR_RESPONSE_DELAY_MS: '50',
    EMULATOR_RATE_LIMIT_PER_HOUR: '500',
    EMULATOR_WEBHOOK_TARGETS: 'http://a/,http://b/',
    EMULATOR_SEED: '10',
    EMULATOR_SEED_TEMPLATE: '{"publicId":"x/{n}"}',
  });
  expect(read).toEqual({
    options: {
      port: 4000,
      cloudName: 'c',
      bytes: 'discard',
      responseDelayMs: 50,
      rateLimitPerHour: 500,
      webhookTargets: ['http://a/', 'http://b/'],
    },
    seed: { count: 10, template: { publicId: 'x/{n}' } },
  });
  expect(optionsFromEnv({})).toEqual({ options: {}, seed: { count: 0, template: {} } });
});

test.each([
  [{ PORT: 'x' }, /PORT must be a whole number/],
  [{ EMULATOR_BYTES: 'tape' }, /EMULATOR_BYTES must be/],
  [{ EMULATOR_SEED_TEMPLATE: '{"color":"red"}' }, /color/],
])('refuses %j', (env, message) => {
  expect(() => optionsFromEnv(env)).toThrow(message);
});
