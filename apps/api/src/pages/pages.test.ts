import { readdir, readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { rawRequest } from '../../test/support/raw-request.js';
import { startApi, type RunningApi } from '../../test/support/running-api.js';

const folder = new URL('../../pages/console/', import.meta.url);

let redis: RedisSandbox;
let api: RunningApi;

beforeAll(async () => {
  redis = await startRedisSandbox();
  api = await startApi(redis, { API_KEYS: 'r:read:read-secret' });
});

afterAll(async () => {
  await api.close();
  await redis.close();
});

describe.each(['/', '/docs'])('the page %s', (path) => {
  it('is open to everyone, with a policy that lets no script but ours run', async () => {
    const { status, headers, body } = await api.call('GET', path);
    expect(status).toBe(200);
    expect(headers.get('content-type')).toBe('text/html; charset=utf-8');
    const policy = headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'none'; script-src 'self'; style-src 'self';");
    expect(policy).not.toContain('unsafe');
    expect(headers.get('x-frame-options')).toBe('DENY');
    // No script, no style and no handler inside the page, nothing from elsewhere.
    expect(body).not.toMatch(/<script(?![^>]* src=)|<style|style=| on\w+=|https?:/);
  });

  it('has everything that it refers to, and answers 304 to a browser that has it', async () => {
    const { body } = await api.call('GET', path);
    const parts = [...String(body).matchAll(/(?:src|href)="(\/(?:console|docs)\/[^"]+)"/g)];
    expect(parts.length).toBeGreaterThan(1);
    for (const [, part = ''] of parts) {
      const { status, headers } = await api.call('GET', part);
      expect(status).toBe(200);
      expect(headers.get('content-type')).toMatch(/^text\/(css|javascript); charset=utf-8$/);
      const again = await api.call('GET', part, undefined, { 'If-None-Match': headers.get('etag') ?? '' });
      expect(again.status).toBe(304);
    }
  });
});

it.each(['/docs/swagger-ui-bundle.js', '/openapi.json'])(
  'sends %s compressed to those who take it so, under a tag of its own',
  async (path) => {
    const plain = await api.request(path, { headers: { 'Accept-Encoding': 'identity' } });
    const zipped = await api.request(path, { headers: { 'Accept-Encoding': 'gzip' } });
    expect(plain.headers.get('content-encoding')).toBeNull();
    expect(zipped.headers.get('content-encoding')).toBe('gzip');
    expect(Number(zipped.headers.get('content-length'))).toBeLessThan(
      Number(plain.headers.get('content-length')) / 2,
    );
    expect(await zipped.text()).toBe(await plain.text());
    for (const { headers } of [plain, zipped]) expect(headers.get('vary')).toContain('Accept-Encoding');
    expect(plain.headers.get('etag')).not.toBe(zipped.headers.get('etag'));
  },
);

it('serves all scripts of the console, and they read no data as markup', async () => {
  const names = await readdir(folder);
  expect(names).toContain('main.js');
  for (const name of names) {
    expect((await api.call('GET', `/console/${name}`)).status).toBe(200);
    const text = await readFile(new URL(name, folder), 'utf8');
    expect(text).not.toMatch(/innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|localStorage/);
  }
});

it.each([
  '/console/..%2f..%2fpackage.json',
  '/console/nothing.js',
  '/console/toString',
  '/docs/%2e%2e',
  '/docs/..',
])('has nothing at %s', async (path) => {
  const answer = await rawRequest(
    api.port,
    `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`,
  );
  expect(answer).toMatch(/^HTTP\/1\.1 404 /);
  expect(answer).toContain('"NOT_FOUND"');
});
