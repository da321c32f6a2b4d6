import { expect, test } from 'vitest';
import { HoldfastError, type FieldProblem } from '../errors/index.js';
import { readSettings } from './settings.js';

const [first, second] = ['first-webhook-secret', 'second-webhook-secret'];
const cloudinary = { CLOUDINARY_URL: 'cloudinary://key:own-secret@demo' };

function problemsOf(env: Record<string, string>): readonly FieldProblem[] {
  try {
    readSettings(env);
    return [];
  } catch (error) {
    if (error instanceof HoldfastError && error.code === 'CONFIG_INVALID') return error.errors ?? [];
    throw error;
  }
}

test.each([
  cloudinary,
  { CLOUDINARY_CLOUD_NAME: 'demo', CLOUDINARY_API_KEY: 'key', CLOUDINARY_API_SECRET: 'own-secret' },
])('reads further secrets for notifications', (access) => {
  expect(readSettings(access).host).toMatchObject({ webhookSecrets: [] });
  expect(readSettings({ ...access, CLOUDINARY_WEBHOOK_SECRETS: ` ${first}, ${second},` }).host).toMatchObject(
    {
      webhookSecrets: [first, second],
    },
  );
});

test('reports short and repeated secrets with all other problems, and prints none', () => {
  const errors = problemsOf({
    ...cloudinary,
    PORT: 'none',
    CLOUDINARY_WEBHOOK_SECRETS: `${first},brief,${second},${first}`,
  });
  expect(errors.toSorted((a, b) => a.message.localeCompare(b.message))).toEqual([
    { path: 'CLOUDINARY_WEBHOOK_SECRETS', message: 'entry 2 must have at least 8 characters' },
    { path: 'CLOUDINARY_WEBHOOK_SECRETS', message: 'entry 4 repeats an earlier entry' },
    { path: 'PORT', message: expect.any(String) },
  ]);
  expect(JSON.stringify(errors)).not.toMatch(/brief|webhook-secret/);
});

test('accepts the secret of CLOUDINARY_URL among them, as in the middle of a rotation', () => {
  const env = { CLOUDINARY_URL: `cloudinary://key:${first}@demo`, CLOUDINARY_WEBHOOK_SECRETS: first };
  expect(problemsOf(env)).toEqual([]);
});
