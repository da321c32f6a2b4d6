import { expect, it } from 'vitest';
import { redirectTarget } from './downloads.js';

it.each([
  ['https://api.cloudinary.com/b', true],
  ['/b', true],
  ['https://res-1.cloudinary.com/b', true],
  ['http://res.cloudinary.com/b', false],
  ['https://res.cloudinary.com:8443/b', false],
  ['https://res.cloudinary.com.example.org/b', false],
  ['https://notcloudinary.com/b', false],
  ['https://user:secret@res.cloudinary.com/b', false],
  ['https://127.0.0.1/b', false],
  ['http://[', false],
])('a download may be redirected to %s: %s', (location, allowed) => {
  expect(redirectTarget('https://api.cloudinary.com/a?signature=x', location) !== null).toBe(allowed);
});
