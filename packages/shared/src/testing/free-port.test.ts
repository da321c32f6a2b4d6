import { once } from 'node:events';
import { createServer } from 'node:net';
import { expect, it } from 'vitest';
import { freePort } from './free-port.js';

it('gives each caller another port, below those of outgoing connections, and none in use', async () => {
  const before = await freePort();
  const taken = createServer().listen(before + 1, '127.0.0.1');
  await once(taken, 'listening');
  const ports = await Promise.all(Array.from({ length: 100 }, freePort));
  taken.close();
  expect(new Set([before, before + 1, ...ports]).size).toBe(102);
  expect(Math.max(...ports)).toBeLessThan(32_768);
});
