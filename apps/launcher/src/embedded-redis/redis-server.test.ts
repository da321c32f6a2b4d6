import { expect, it } from 'vitest';
import { serverConfiguration } from './redis-server.js';

it('quotes a folder whose name would end the value', () => {
  const text = serverConfiguration({
    directory: '/data "x"\\y z',
    address: { kind: 'port', port: 7000, password: 'secret' },
    appendOnly: true,
  });
  expect(text).toContain('dir "/data \\"x\\"\\\\y z"\n');
  expect(text).toContain('bind 127.0.0.1\n');
  expect(text).toContain('requirepass "secret"\n');
});

it('opens no port beside a socket', () => {
  const text = serverConfiguration({
    directory: '/data',
    address: { kind: 'socket', path: '/data/redis.sock' },
    appendOnly: true,
  });
  expect(text).toContain('port 0\n');
  expect(text).toContain('unixsocketperm 700\n');
});
