import { describe, expect, it } from 'vitest';
import { HoldfastError, type FieldProblem } from '../errors/index.js';
import { readServingSettings, readSettings, unreadSettings } from './settings.js';
import { defaults } from './variables.js';

function problemsOf(env: Record<string, string>): readonly FieldProblem[] {
  try {
    readServingSettings(env);
    return [];
  } catch (error) {
    if (error instanceof HoldfastError && error.code === 'CONFIG_INVALID') return error.errors ?? [];
    throw error;
  }
}

const pathsOf = (env: Record<string, string>): readonly string[] => problemsOf(env).map(({ path }) => path);

it('reports an open address without a key together with the other problems', () => {
  expect(pathsOf({ HOST: '0.0.0.0', PORT: 'abc', LOG_LEVEL: 'x' }).toSorted()).toEqual([
    'API_KEYS',
    'LOG_LEVEL',
    'PORT',
  ]);
});

it('refuses an open address without a key, and nothing else', () => {
  expect(pathsOf({ HOST: '0.0.0.0' })).toEqual(['API_KEYS']);
  expect(pathsOf({ HOST: '0.0.0.0', ALLOW_ANONYMOUS: 'true' })).toEqual([]);
  expect(pathsOf({ HOST: '0.0.0.0', API_KEYS: 'web:write:a-secret-of-some-length' })).toEqual([]);
  expect(pathsOf({ HOST: '127.0.0.2' })).toEqual([]);
  expect(pathsOf({ HOST: '::1' })).toEqual([]);
  expect(pathsOf({ HOST: '[::1]' })).toEqual([]);
  expect(readServingSettings({ HOST: '[::1]' }).http.host).toBe('::1');
});

it.each([
  [{ API_KEYS: ',' }, ['API_KEYS']],
  [{ UPLOAD_ALLOWED_TYPES: ' , ' }, ['UPLOAD_ALLOWED_TYPES']],
  [{ UPLOAD_ALLOWED_TYPES: 'png,image/*,.jpg' }, ['UPLOAD_ALLOWED_TYPES', 'UPLOAD_ALLOWED_TYPES']],
  [{ REDIS_SENTINEL_NAME: 'media' }, ['REDIS_SENTINELS']],
  [{ REDIS_SENTINEL_PASSWORD: 'of-the-sentinels' }, ['REDIS_SENTINELS']],
  [
    { REDIS_SENTINELS: 'a:1', REDIS_SENTINEL_NAME: 'media', REDIS_SENTINEL_USERNAME: 'holdfast' },
    ['REDIS_SENTINEL_PASSWORD'],
  ],
  [{ REDIS_SENTINELS: 'a:0', REDIS_SENTINEL_NAME: 'media' }, ['REDIS_SENTINELS']],
  [{ REDIS_SENTINEL_NAME: 'media', REDIS_URL: 'redis://a', CORS_ORIGINS: ',' }, []],
  [{ REDIS_URL: 'unix://' }, ['REDIS_URL']],
  [{ REDIS_URL: 'unix:///' }, ['REDIS_URL']],
  [{ REDIS_URL: 'unix://socket' }, ['REDIS_URL']],
  [
    {
      REDIS_URL: 'redis://a',
      REDIS_SENTINELS: 'b:1',
      REDIS_SENTINEL_NAME: 'media',
      REDIS_CLUSTER_NODES: 'c:2',
    },
    ['REDIS_SENTINELS', 'REDIS_CLUSTER_NODES'],
  ],
])('refuses what would silently mean something else, all of it at once: %o', (env, paths) => {
  expect(pathsOf(env as Record<string, string>)).toEqual(paths);
});

it('refuses two keys with one secret, of which the order would decide the role', () => {
  const secret = 'a-secret-of-some-length';
  expect(problemsOf({ API_KEYS: `r:read:${secret},a:admin:${secret}` })).toEqual([
    {
      path: 'API_KEYS',
      message: 'entry 2 has the secret of another key, so its role would depend on the order',
    },
  ]);
});

it('names unusable keys once, and does not also ask for keys', () => {
  expect(problemsOf({ HOST: '0.0.0.0', API_KEYS: 'web:boss:secret' })).toEqual([
    { path: 'API_KEYS', message: 'entry 1 must have the role read, write or admin' },
  ]);
});

it.each(Object.keys(defaults))('says in words what is wrong with %s', (name) => {
  // Nothing takes this: it is not a number, an address or a name, and too long.
  const value = `=<%>"${'x'.repeat(200)}`;
  for (const { path, message } of problemsOf({ [name]: value })) {
    expect(path).toBe(path.toUpperCase());
    expect(message).toMatch(/^(must|has|is|names|cannot|entry 1) /);
    expect(message).not.toContain('=<%>');
  }
});

it.each([
  [{ PORT: '99999' }, 'must be a whole number from 0 to 65535'],
  [{ PORT: '80.5' }, 'must be a whole number from 0 to 65535'],
  [{ LOG_LEVEL: 'loud' }, 'must be one of debug, info, warn, error, silent'],
])('names what may be given instead of %o', (env, message) => {
  expect(problemsOf(env as Record<string, string>)).toEqual([
    { path: expect.any(String) as string, message },
  ]);
});

it('prints no line twice, however many entries of a list are wrong', () => {
  const lists = {
    API_KEYS: 'a,b',
    CORS_ORIGINS: 'a,b',
    UPLOAD_ALLOWED_TYPES: 'a,b',
    CLOUDINARY_WEBHOOK_SECRETS: 'a,b',
    REDIS_CLUSTER_NODES: 'a:0,b:0',
  };
  const lines = problemsOf(lists).map(({ path, message }) => `${path} ${message}`);
  expect(lines).toHaveLength(10);
  expect(new Set(lines).size).toBe(10);
});

it('names what was probably meant, where something is missing', () => {
  expect(problemsOf({ HOST: '0.0.0.0', API_KEY: 'web:write:a-secret' })).toEqual([
    { path: 'API_KEYS', message: expect.stringMatching(/^is required/) as string },
    { path: 'API_KEY', message: 'is not a setting; did you mean API_KEYS?' },
  ]);
});

it.each(['https://user:secret-word@media.example.com', 'https://a.example/?x=1', 'https://a.example/#x'])(
  'refuses %s as the address under which clients see the files',
  (PUBLIC_URL) => {
    expect(() => readSettings({ PUBLIC_URL })).toThrow(
      expect.objectContaining({
        code: 'CONFIG_INVALID',
        errors: [{ path: 'PUBLIC_URL', message: 'must have no login, query or fragment' }],
      }),
    );
  },
);

it('accepts an address with a path', () => {
  expect(readSettings({ PUBLIC_URL: 'https://a.example/media/' }).http.publicUrl).toBe(
    'https://a.example/media',
  );
});

describe('a variable that Holdfast does not read', () => {
  it.each([
    ['REDIS_URI', 'REDIS_URL'],
    ['redis_url', 'REDIS_URL'],
    ['CLOUDINARY_UR', 'CLOUDINARY_URL'],
    ['CLOUDINARY_FOLDRE', 'CLOUDINARY_FOLDER'],
    ['DATADIR', 'DATA_DIR'],
    ['API_KEY', 'API_KEYS'],
    ['REDIS_TLS_URL', 'REDIS_URL'],
    ['AUTO_SYNC_INTERVAL', 'AUTO_SYNC_INTERVAL_MINUTES'],
    ['AUTO_SYNC_INTERVAL_SECONDS', 'AUTO_SYNC_INTERVAL_MINUTES'],
    ['MAX_UPLOAD_BYTES', 'UPLOAD_MAX_BYTES'],
    ['MAX_UPLOAD_SIZE', 'UPLOAD_MAX_BYTES'],
    ['ALLOWED_UPLOAD_TYPES', 'UPLOAD_ALLOWED_TYPES'],
    ['SHUTDOWN_TIMEOUT', 'SHUTDOWN_TIMEOUT_SECONDS'],
    ['RATE_LIMIT', 'RATE_LIMIT_PER_MINUTE'],
    ['KV_REST_API_TOKEN', 'UPSTASH_REDIS_REST_TOKEN'],
  ])('%s is reported as %s', (name, meant) => {
    expect(unreadSettings({ [name]: 'a-value' })).toEqual([{ name, meant }]);
  });

  it.each([
    'HOME',
    'HOSTS',
    'PATH',
    'NODE_ENV',
    'REDIS_PORT',
    'REDIS_SERVICE_HOST',
    'LANG',
    'DYNO',
    'MAX_SIZE',
    'MAX_BYTES',
    'UPLOAD_DIR',
  ])('%s is not reported', (name) => expect(unreadSettings({ [name]: 'a-value' })).toEqual([]));

  it('is not reported where it is empty, or where what was meant is there too', () => {
    expect(unreadSettings({ REDIS_URI: ' ' })).toEqual([]);
    expect(unreadSettings({ REDIS_TLS_URL: 'rediss://h', REDIS_URL: 'redis://h' })).toEqual([]);
    expect(unreadSettings({ REDIS_HOST: 'h', REDIS_CLUSTER_NODES: 'h:7000' })).toEqual([]);
    expect(unreadSettings({ CLOUDINARY_NAME: 'demo', CLOUDINARY_URL: 'cloudinary://k:s@demo' })).toEqual([]);
  });

  it('never means HOLDFAST_EMBEDDED_REDIS, which operators do not set', () => {
    expect(unreadSettings({ HOLDFAST_EMBEDED_REDIS: 'x' })).toEqual([]);
  });
});
