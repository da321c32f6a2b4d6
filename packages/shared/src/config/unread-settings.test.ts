import { describe, expect, it } from 'vitest';
import { unreadSettings } from './unread-settings.js';

describe('a variable that nobody reads', () => {
  it.each([
    ['REDIS_URI', 'REDIS_URL'],
    ['redis_url', 'REDIS_URL'],
    ['CLOUDINARY_UR', 'CLOUDINARY_URL'],
    ['CLOUDINARY_FOLDRE', 'CLOUDINARY_FOLDER'],
    ['DATADIR', 'DATA_DIR'],
    ['API_KEY', 'API_KEYS'],
    ['REDIS_TLS_URL', 'REDIS_URL'],
    ['KV_REST_API_TOKEN', 'UPSTASH_REDIS_REST_TOKEN'],
  ])('%s is told of as %s', (name, meant) => {
    expect(unreadSettings({ [name]: 'a-value' })).toEqual([{ name, meant }]);
  });

  it.each(['HOME', 'HOSTS', 'PATH', 'NODE_ENV', 'REDIS_PORT', 'REDIS_SERVICE_HOST', 'LANG', 'DYNO'])(
    '%s is none of ours',
    (name) => expect(unreadSettings({ [name]: 'a-value' })).toEqual([]),
  );

  it('is no matter where it is empty, or where what was meant is there too', () => {
    expect(unreadSettings({ REDIS_URI: ' ' })).toEqual([]);
    expect(unreadSettings({ REDIS_TLS_URL: 'rediss://h', REDIS_URL: 'redis://h' })).toEqual([]);
    expect(unreadSettings({ REDIS_HOST: 'h', REDIS_CLUSTER_NODES: 'h:7000' })).toEqual([]);
    expect(unreadSettings({ CLOUDINARY_NAME: 'demo', CLOUDINARY_URL: 'cloudinary://k:s@demo' })).toEqual([]);
  });

  it('never means HOLDFAST_EMBEDDED_REDIS, which is no setting of an operator', () => {
    expect(unreadSettings({ HOLDFAST_EMBEDED_REDIS: 'x' })).toEqual([]);
  });
});
