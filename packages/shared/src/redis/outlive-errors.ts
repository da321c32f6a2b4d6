import type { Duplex } from 'node:stream';
import { AbstractConnector } from 'ioredis';

const streams = new WeakMap<object, Duplex>();

/**
 * Listens to every error of every socket of ioredis, those to Sentinels and nodes of a Cluster included. ioredis listens to the
 * first one only, and TLS may report two: that the certificate is refused, then what is wrong with bytes that came after it.
 * The second one would end the process.
 */
Object.defineProperty(AbstractConnector.prototype, 'stream', {
  get(this: object) {
    return streams.get(this);
  },
  set(this: object, stream: Duplex) {
    streams.set(this, stream);
    stream.on('error', () => undefined);
  },
});
