import { describe, expect, it } from 'vitest';
import { unreadSettings } from './unread-settings.js';

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
