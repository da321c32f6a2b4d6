import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createLogger } from '@holdfast/foundation/logging';
import { expect, it, onTestFinished, vi } from 'vitest';
import { announce, browserAddress } from './address.js';

it.each([
  ['127.0.0.1', 'http://127.0.0.1:3000'],
  ['0.0.0.0', 'http://localhost:3000'],
  ['::', 'http://localhost:3000'],
  ['::1', 'http://[::1]:3000'],
  ['media.example.com', 'http://media.example.com:3000'],
])('names an address that a browser can open for HOST=%s', (host, address) => {
  expect(browserAddress({ host, port: 3000, publicUrl: undefined })).toBe(address);
});

it.each([{ stopsMeanwhile: false }, { stopsMeanwhile: true }])(
  'announces a start unless it is stopped while the API answers: $stopsMeanwhile',
  async ({ stopsMeanwhile }) => {
    const stopping = new AbortController();
    const api = createServer((_request, response) => {
      if (stopsMeanwhile) stopping.abort();
      response.end();
    }).listen(0, '127.0.0.1');
    onTestFinished(() => void api.close());
    await once(api, 'listening');
    const write = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
    onTestFinished(() => write.mockRestore());
    const { port } = api.address() as AddressInfo;
    const redis = { external: true, storageType: 'Redis' } as Parameters<typeof announce>[0]['redis'];
    await announce(
      { http: { host: '127.0.0.1', port, publicUrl: undefined }, dataDir: '/data', redis },
      createLogger({ level: 'silent', format: 'json' }, { process: 'test' }),
      stopping.signal,
    );
    expect(write.mock.calls.join('').includes('Holdfast is running.')).toBe(!stopsMeanwhile);
  },
);
