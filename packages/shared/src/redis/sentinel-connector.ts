import {
  SentinelConnector as LibrarySentinelConnector,
  type Redis,
  type SentinelConnectionOptions,
} from 'ioredis';

/** What ioredis keeps to itself. */
interface Inside {
  connectToSentinel(...args: unknown[]): Redis;
}

/**
 * Finds the master through the sentinels, and begins each search with nothing left of the connection before. ioredis
 * keeps that one's failover detector: told of the new master in the middle of the search, it ends the search, and with it
 * the client for good.
 */
export class SentinelConnector extends LibrarySentinelConnector {
  constructor(options: unknown) {
    // ioredis hands a connector the options of its client.
    super(options as SentinelConnectionOptions);
    const inside = this as unknown as Inside;
    const connectToSentinel = inside.connectToSentinel.bind(this);
    // What listens for a failover has no listener for its errors: ioredis would print each of them, in no format of ours.
    inside.connectToSentinel = (...args) => connectToSentinel(...args).on('error', () => undefined);
  }

  override connect(
    ...args: Parameters<LibrarySentinelConnector['connect']>
  ): ReturnType<LibrarySentinelConnector['connect']> {
    this.disconnect();
    return super.connect(...args);
  }
}
