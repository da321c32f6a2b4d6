import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import { listenOn } from './index.js';

const settings = { host: 'HOST', port: 'WORKER_PORT' };

it('names the setting when the port is taken', async () => {
  const first = createServer();
  await listenOn(first, { host: '127.0.0.1', port: 0, settings });
  const { port } = first.address() as AddressInfo;
  await expect(listenOn(createServer(), { host: '127.0.0.1', port, settings })).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    errors: [{ path: 'WORKER_PORT', message: 'is used by another program' }],
  });
  first.close();
  await once(first, 'close');
});

it('names the setting when the address belongs to another machine', async () => {
  await expect(listenOn(createServer(), { host: '192.0.2.1', port: 0, settings })).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    errors: [{ path: 'HOST' }],
  });
});
