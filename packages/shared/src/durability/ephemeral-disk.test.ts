import { describe, expect, it } from 'vitest';
import { fileSystemOf, judgeDisk } from './ephemeral-disk.js';

const mounts = [
  '22 1 0:20 / / rw,relatime - overlay overlay rw',
  '23 22 8:1 / /data rw,relatime shared:1 - ext4 /dev/sda1 rw',
  '24 22 0:21 / /data/with\\040space rw - tmpfs tmpfs rw',
].join('\n');

describe('the file system of a path', () => {
  it.each([
    ['/srv/data', 'overlay'],
    ['/data', 'ext4'],
    ['/data/media', 'ext4'],
    ['/database', 'overlay'],
    ['/data/with space/x', 'tmpfs'],
  ])('%s is on %s', (path, type) => expect(fileSystemOf(mounts, path)).toBe(type));

  it('is unknown where the kernel does not tell', () => expect(fileSystemOf('', '/data')).toBeNull());
});

describe('a disk', () => {
  it.each([
    ['in memory', {}, 'tmpfs', 'warning'],
    ['of a Heroku dyno', { DYNO: 'web.1' }, 'ext4', 'warning'],
    ['of Render without a mounted disk', { RENDER: 'true' }, 'overlay', 'warning'],
    ['of a container', {}, 'overlay', 'notice'],
  ] as const)('%s is named', (_name, env, type, severity) => {
    expect(judgeDisk('the files', env, type)).toMatchObject({ code: 'EPHEMERAL_DISK', severity });
  });

  it.each([
    ['mounted on Render', { RENDER: 'true' }, 'ext4'],
    ['of a machine', {}, 'ext4'],
    ['of an unknown kind', {}, null],
  ] as const)('%s is fine', (_name, env, type) => expect(judgeDisk('the files', env, type)).toBeNull());
});
