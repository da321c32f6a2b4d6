import { expect, it } from 'vitest';
import { hostOfUrl, isOnAnotherHost } from './host-identity.js';

it.each([
  ['/media/image/holdfast/a.png', 'local'],
  ['https://res.cloudinary.com/demo/image/upload/v1/holdfast/a.png', 'cloudinary:demo'],
  ['https://res.cloudinary.com/demo/raw/upload/v1/holdfast/a.pdf', 'cloudinary:demo'],
  [
    'http://127.0.0.1:4000/emulated-cloud/video/upload/v1/a/b/image/upload/c.mp4',
    'cloudinary:emulated-cloud',
  ],
  ['https://demo-res.cloudinary.com/image/upload/v1/holdfast/a.png', 'cloudinary:demo'],
  ['https://media.example.com/image/upload/v1/demo/image/upload/a.png', null],
])('tells the host of %s', (url, host) => {
  expect(hostOfUrl(url)).toBe(host);
});

it('treats an address that names no host as one of the host in use', () => {
  expect(isOnAnotherHost('https://media.example.com/image/upload/v1/a.png', 'local')).toBe(false);
  expect(isOnAnotherHost('/media/image/a.png', 'cloudinary:demo')).toBe(true);
  expect(isOnAnotherHost('/media/image/a.png', 'local')).toBe(false);
});
