import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import { listenOn } from './index.js';

it('names the setting when the port is taken', async () => {
  const first = createServer();
  await listenOn(first, '127.0.0.1', 0, 'WORKER_PORT');
  const { port } = first.address() as AddressInfo;
  await expect(listenOn(createServer(), '127.0.0.1', port, 'WORKER_PORT')).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    errors: [{ path: 'WORKER_PORT', message: 'is used by another program' }],
  });
  first.close();
  await once(first, 'close');
});

it('names the setting when the address belongs to another machine', async () => {
  await expect(listenOn(createServer(), '192.0.2.1', 0, 'WORKER_PORT')).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    errors: [{ path: 'HOST' }],
  });
});
