import { expect, it } from 'vitest';
import { needsEmbeddedRedis } from './needs-embedded-redis.js';

it.each([
  { env: {}, needed: true },
  { env: { REDIS_URL: '' }, needed: true },
  { env: { HOLDFAST_EMBEDDED_REDIS: 'redis://127.0.0.1:1' }, needed: true },
  { env: { REDIS_URL: 'redis://127.0.0.1:6379' }, needed: false },
  { env: { REDIS_CLUSTER_NODES: 'a:1,b:2' }, needed: false },
  { env: { PORT: 'not a number' }, needed: false },
])('answers $needed for $env', ({ env, needed }) => {
  expect(needsEmbeddedRedis(env)).toBe(needed);
});
