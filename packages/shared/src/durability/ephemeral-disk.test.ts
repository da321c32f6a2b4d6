import { describe, expect, it } from 'vitest';
import { fileSystemOf, judgeDisk } from './ephemeral-disk.js';

it('finds out what kind of disk holds a folder, also one that is still to be made', async () => {
  expect(await fileSystemOf('/dev/shm')).toBe('memory');
  expect(await fileSystemOf('/dev/shm/no/such/folder')).toBe('memory');
  expect(await fileSystemOf('/proc/self')).toBeUndefined();
});

describe('a disk', () => {
  it.each([
    ['in memory', {}, 'memory', 'warning'],
    ['of a Heroku dyno', { DYNO: 'web.1' }, undefined, 'warning'],
    ['of Render without a mounted disk', { RENDER: 'true' }, 'layers', 'warning'],
    ['of a container', {}, 'layers', 'notice'],
  ] as const)('%s is named', (_name, env, type, severity) => {
    expect(judgeDisk('the files', env, type)).toMatchObject([{ code: 'EPHEMERAL_DISK', severity }]);
  });

  it.each([
    ['mounted on Render', { RENDER: 'true' }],
    ['of a machine', {}],
  ])('%s is fine', (_name, env) => expect(judgeDisk('the files', env, undefined)).toEqual([]));
});
