import { expect, it, vi } from 'vitest';
import { loadSdk } from './sdk.js';

it('works whatever the environment says, leaves it alone, and keeps to one protocol', () => {
  vi.stubEnv('CLOUDINARY_URL', '"https://not-cloudinary"');
  vi.stubEnv('CLOUDINARY_API_PROXY', 'http://proxy.example.com');
  const sdk = loadSdk('http://127.0.0.1:1');
  expect(Object.keys(sdk.uploader)).toContain('upload_stream');
  expect(process.env['CLOUDINARY_URL']).toBe('"https://not-cloudinary"');
  expect(process.env['CLOUDINARY_API_PROXY']).toBe('http://proxy.example.com');
  expect(loadSdk('http://127.0.0.1:2')).toBe(sdk);
  expect(() => loadSdk('https://api.cloudinary.com')).toThrow(/http or by https/);
  vi.unstubAllEnvs();
  expect(process.env['CLOUDINARY_API_PROXY']).toBeUndefined();
});
