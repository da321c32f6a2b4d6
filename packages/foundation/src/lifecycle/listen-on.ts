import type { Server } from 'node:net';
import { HoldfastError } from '../errors/index.js';

/** What the system says when it refuses an address, as the setting that is wrong and why. */
const refusals: Readonly<Record<string, { of: 'host' | 'port'; message: string }>> = {
  EADDRINUSE: { of: 'port', message: 'is used by another program' },
  EACCES: { of: 'port', message: 'may not be used by this user' },
  EADDRNOTAVAIL: { of: 'host', message: 'is not an address of this machine' },
  ENOTFOUND: { of: 'host', message: 'is a name that cannot be found' },
  EAI_AGAIN: { of: 'host', message: 'is a name that cannot be found' },
};

/** Where a server is to listen. */
export interface Address {
  host: string;
  /** 0 = any that is free. */
  port: number;
  /** The variables that the two came from. */
  settings: { host: string; port: string };
}

/** Resolves once the server listens. Throws CONFIG_INVALID, which names the setting, when its address cannot be had. */
export async function listenOn(server: Server, { host, port, settings }: Address): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const onError = (error: NodeJS.ErrnoException): void => reject(explain(error, settings));
    server.once('error', onError);
    server.listen(port, host, () => {
      server.off('error', onError);
      resolve();
    });
  });
}

function explain(error: NodeJS.ErrnoException, settings: Address['settings']): Error {
  const refusal = refusals[error.code ?? ''];
  if (refusal === undefined) return error;
  return new HoldfastError('CONFIG_INVALID', 'the server cannot listen', {
    cause: error,
    errors: [{ path: settings[refusal.of], message: refusal.message }],
  });
}
