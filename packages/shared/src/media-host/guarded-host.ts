import type { Logger } from '../logging/index.js';
import { isStream } from './body.js';
import { createHostCircuit, type HostCircuitOptions } from './host-circuit.js';
import type { AssetRef, MediaHost } from './media-host.js';

export interface GuardOptions extends Pick<HostCircuitOptions, 'restMs' | 'now'> {
  /** Of our own assets; nothing is ever stored under the name that is looked for. */
  folder: string;
  log: Logger;
}

const LOOK_WITHIN_MS = 5_000;

/** A host in the network behind the circuit of this process: while it does not answer, callers are told so at once. */
export function guardHost(host: MediaHost, { folder, ...options }: GuardOptions): MediaHost {
  const nobody: AssetRef = { publicId: `${folder}/host-check`, resourceType: 'image' };
  const look = (): Promise<unknown> => host.find(nobody, AbortSignal.timeout(LOOK_WITHIN_MS));
  const circuit = createHostCircuit({ ...options, look });
  const call = <T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> =>
    circuit.guard('call', signal, work);
  return {
    ...host,
    put: async (request) => {
      try {
        return await circuit.guard('transfer', request.signal, () => host.put(request));
      } finally {
        if (isStream(request.body)) request.body.destroy();
      }
    },
    annotate: (ref, metadata, signal) => call(signal, () => host.annotate(ref, metadata, signal)),
    find: (ref, signal) => call(signal, () => host.find(ref, signal)),
    remove: (ref, signal) => call(signal, () => host.remove(ref, signal)),
    list: (request) => call(request.signal, () => host.list(request)),
    changes: (request) => call(request.signal, () => host.changes(request)),
    confirm: (assetIds, signal) => call(signal, () => host.confirm(assetIds, signal)),
    putFile: (name, body, signal) => call(signal, () => host.putFile(name, body, signal)),
    // Downloads come by another path than all else: that they fail must not keep anybody from listing the host.
    readFile: async (...of) => {
      circuit.throwIfOpen();
      return host.readFile(...of);
    },
    listFiles: (prefix, signal) => call(signal, () => host.listFiles(prefix, signal)),
    removeFile: (name, signal) => call(signal, () => host.removeFile(name, signal)),
    health: () => ({ ...host.health(), circuit: circuit.state() }),
    uploadRefusal: circuit.uploadRefusal,
    admitUpload: circuit.admitUpload,
    close: () => {
      circuit.stop();
      return host.close();
    },
  };
}
