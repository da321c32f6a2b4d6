import { EventEmitter } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { expect, it } from 'vitest';
import { readLately } from './read-lately.js';

it('costs no more for each byte of a body that comes byte by byte, however much of it has come', () => {
  const request = new EventEmitter();
  const lately = readLately(request as IncomingMessage);
  const sendMs = (count: number): number => {
    const began = process.cpuUsage();
    for (let sent = 0; sent < count; sent += 1) request.emit('data', Buffer.from('x'));
    const { user, system } = process.cpuUsage(began);
    return (user + system) / 1_000;
  };
  sendMs(160_000);
  expect(sendMs(20_000)).toBeLessThan(1_000);
  request.emit('data', Buffer.from('the end'));
  expect(lately.includes('xthe end')).toBe(true);
});
