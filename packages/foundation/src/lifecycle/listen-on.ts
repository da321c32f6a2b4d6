import { once } from 'node:events';
import type { Server } from 'node:net';
import { HoldfastError } from '../errors/index.js';

/** What the system says when it refuses an address: whether the port or HOST is wrong, and why. */
const refusals: Readonly<Record<string, readonly ['port' | 'host', string]>> = {
  EADDRINUSE: ['port', 'is used by another program'],
  EACCES: ['port', 'may not be used by this user'],
  EADDRNOTAVAIL: ['host', 'is not an address of this machine'],
  ENOTFOUND: ['host', 'is a name that cannot be found'],
  EAI_AGAIN: ['host', 'is a name that cannot be found'],
};

/**
 * Resolves once the server listens on HOST and the port of the setting; 0 picks a free one. Throws CONFIG_INVALID, which names the
 * setting, when its address cannot be had.
 */
export async function listenOn(server: Server, host: string, port: number, setting = 'PORT'): Promise<void> {
  server.listen(port, host);
  try {
    await once(server, 'listening');
  } catch (error) {
    const refusal = refusals[(error as NodeJS.ErrnoException).code ?? ''];
    if (refusal === undefined) throw error;
    const [of, message] = refusal;
    throw new HoldfastError('CONFIG_INVALID', 'the server cannot listen', {
      cause: error,
      errors: [{ path: of === 'host' ? 'HOST' : setting, message }],
    });
  }
}
